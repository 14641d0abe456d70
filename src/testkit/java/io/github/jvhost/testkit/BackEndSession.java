package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndRequester;
import io.github.jvhost.channel.backend.FrontEndGoneException;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.MacAddress;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One connection of a {@link MockBackEnd}: takes messages, applies what {@link BackEndState} says,
 * and owns everything that lives as long as the connection: mappings, log, eventfds, what is in
 * modelled hardware. Used by one thread.
 */
final class BackEndSession implements AutoCloseable {
  /** Why a connection has ended that the front end closed between two messages. */
  static final String GOODBYE = "";

  private static final int PART_OF_HEADER = 5;

  private final BackEndConnection connection;
  private final int number;
  private final BackEndRecord record;
  private final DescriptorLedger ledger;
  private final BackEndAnswers answers;
  private final BackEndAnswers.Pause pause;
  private final SwitchPort port;
  private final BackEndState state;
  private final ModelledHardware hardware;
  private final SessionMemory memory;
  private final SessionTransfers transfers;
  private final RingSignals signals;
  private final RingService rings;
  private volatile @Nullable BackEndAsker asker;
  private boolean heard;
  private int breachesSeen;
  private boolean deaf;

  BackEndSession(
      BackEndSetup setup, BackEndConnection connection, int number, BackEndAnswers.Pause pause) {
    this.connection = connection;
    this.number = number;
    this.record = setup.record();
    this.port = setup.port();
    this.ledger = setup.ledger();
    this.hardware = new ModelledHardware(setup.model(), record::charge);
    this.pause = pause;
    this.answers = new BackEndAnswers(connection, record, ledger, pause);
    this.state = new BackEndState(setup.offer(), setup.device(), this::usedIndex);
    this.memory = new SessionMemory(state);
    this.transfers = new SessionTransfers(state, setup.device(), record, ledger);
    this.signals = new RingSignals(state, record, ledger, this::asker);
    this.rings = new RingService(this, state, port, record);
  }

  BackEndState state() {
    return state;
  }

  BackEndMemory memory() {
    return memory.memory();
  }

  RingService rings() {
    return rings;
  }

  RingEventfds eventfds(int ring) {
    return signals.of(ring);
  }

  /**
   * Returns the back end's own channel, or null while the front end has sent none. Any thread may
   * call this.
   */
  @Nullable BackEndAsker asker() {
    return asker;
  }

  /** Returns the socket to watch, or -1 when the session no longer reads. */
  int readable(FaultScript script) {
    return deaf || script.beforeReading() instanceof Wrong.NeverRead ? -1 : connection.number();
  }

  /** Returns whether the front end has sent a whole message. */
  boolean heard() {
    return heard;
  }

  /** Returns the socket, which shows when the front end has closed the connection. */
  int socket() {
    return connection.number();
  }

  /** Logs a write. Behind an IOMMU, DPDK takes guest address 0 for an address that it has not. */
  void markDirty(long guestAddress, long length) {
    if (guestAddress != 0 || !state.translations().active()) {
      memory.markDirty(guestAddress, length);
    }
  }

  void signalCall(int ring) {
    signals.call(ring);
  }

  /** Called after rings were served. Updates the in-flight regions and sends pending signals. */
  void served() {
    memory.served();
    transfers.served();
    signals.served();
    var _ = noteBreaches();
  }

  /** Asks the front end for a translation, without waiting for it. */
  void missed(int ring, Iotlb miss) {
    record.missed(new IotlbCounts.Miss(ring, miss));
    BackEndAsker channel = asker;
    if (channel == null) {
      record.note("ring " + ring + " lacks " + miss + ", and there is no channel to ask on");
    } else {
      channel.tell(BackEndRequest.IOTLB_MSG, miss);
    }
  }

  /**
   * Receives and handles one message.
   *
   * @return why the connection has ended ({@link #GOODBYE} too), or null while it goes on
   * @throws VhostException when the front end has closed the connection inside a message, or its
   *     bytes are not a message
   */
  @Nullable String takeMessage(FaultScript script) {
    Wrong unread = script.beforeReading();
    if (unread instanceof Wrong.NeverRead) {
      return null; // it was armed after this thread had looked at readable()
    }
    if (unread != null) {
      script.skip();
      return hangUpReading(unread);
    }
    Received received;
    try {
      received = connection.receive(BackEndAnswers.deadline());
    } catch (FrontEndGoneException e) {
      if (connection.isBetweenMessages()) {
        return GOODBYE;
      }
      malformed(String.valueOf(e.getMessage()));
      throw e;
    } catch (ProtocolException e) {
      malformed(String.valueOf(e.getMessage()));
      throw e;
    }
    heard = true;
    List<OwnedDescriptor> descriptors = new ArrayList<>(received.descriptors());
    List<OwnedDescriptor> outgoing = new ArrayList<>();
    try {
      return take(received, descriptors, outgoing, script);
    } finally {
      descriptors.forEach(OwnedDescriptor::close);
      outgoing.forEach(OwnedDescriptor::close);
    }
  }

  private String hangUpReading(Wrong wrong) {
    PartialRead part = new PartialRead(connection.number());
    int bytes =
        switch (wrong) {
          case Wrong.HangUpInHeader _ -> part.header(PART_OF_HEADER, BackEndAnswers.deadline());
          case Wrong.HangUpInPayload _ -> part.halfOfThePayload(BackEndAnswers.deadline());
          default -> 0;
        };
    return "scripted: hung up after reading " + bytes + " bytes of a message";
  }

  private @Nullable String take(
      Received received,
      List<OwnedDescriptor> descriptors,
      List<OwnedDescriptor> outgoing,
      FaultScript script) {
    Header header = received.header();
    FrontEndRequest request = state.offer().dialect().requestOf(header.request()).orElse(null);
    Optional<Payload> decoded = decode(request, received.payload());
    Payload payload = decoded.orElseGet(() -> opaque(received.payload()));
    record.message(
        new RecordedMessage(
            System.nanoTime(),
            number,
            header.request(),
            request,
            header.flags(),
            payload,
            descriptors.size()));
    Wrong wrong = script.next(request);
    if (wrong instanceof Wrong.HangUpBefore) {
      return "scripted: hung up before message " + header.request();
    }
    if (wrong instanceof Wrong.NeverRead) {
      deaf = true;
      return null;
    }
    boolean scripted = wrong instanceof Wrong.Refuse || wrong instanceof Wrong.RefuseSilently;
    Outcome outcome;
    if (scripted) {
      Outcome refused = Outcome.failed("scripted: refused");
      outcome = request == null ? refused : refused.inAnswerTo(request);
    } else if (request == null) {
      outcome = state.unknown("request " + header.request());
    } else if (decoded.isEmpty()) {
      outcome = Outcome.failed("a malformed " + request);
    } else {
      outcome = apply(request, payload, descriptors, outgoing);
      if (wrong instanceof Wrong.Base(int base) && outcome.answer() instanceof VringState told) {
        outcome = outcome.answering(new VringState(told.index(), base));
      }
    }
    boolean asked = header.needsReply();
    if (asked && request != null) {
      state.acknowledgementAskedFor(request);
      asked = ProtocolFeature.REPLY_ACK.isIn(state.protocolFeatures());
    }
    if (wrong instanceof Wrong.RefuseSilently && !asked && outcome.answer() == NoPayload.INSTANCE) {
      outcome = Outcome.done();
    }
    boolean breached = noteBreaches();
    if (!breached && !scripted && BackEndAnswers.costsConnection(outcome, asked)) {
      String name = request == null ? "message " + header.request() : request.toString();
      malformed("the back end hung up at " + name + ": " + outcome.reason());
    }
    configure(outcome, true);
    if (wrong instanceof Wrong.AskFirst first) {
      askFirst(first);
    }
    String over = answers.answer(header.request(), outcome, asked, outgoing, wrong);
    if (over == null) {
      configure(outcome, false);
    }
    return over;
  }

  private Outcome apply(
      FrontEndRequest request,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      List<OwnedDescriptor> outgoing) {
    rings.beforeMessage(request, payload);
    Outcome outcome =
        switch (payload) {
          case MemoryTablePayload table when descriptors.size() == table.regions().size() ->
              memory.replace(request, table, descriptors);
          case SingleRegion single
              when request == FrontEndRequest.ADD_MEM_REG && descriptors.size() == 1 ->
              memory.add(request, single, descriptors);
          case LogRegion place when descriptors.size() == 1 ->
              memory.replaceLog(request, place, descriptors);
          default -> state.handle(request, payload, descriptors.size());
        };
    if (!outcome.tookEffect()) {
      return outcome;
    }
    try {
      if (payload instanceof VringDescriptor told) {
        signals.told(request, told.index(), descriptors);
      } else if (request == FrontEndRequest.SET_BACKEND_REQ_FD) {
        takeChannel(descriptors.removeFirst());
      } else if (request == FrontEndRequest.SET_LOG_FD) {
        memory.logChanged(descriptors.removeFirst());
      }
      for (Effect effect : outcome.effects()) {
        apply(effect, descriptors, outgoing);
      }
      if (state.translations().active()) {
        // Any message may have brought what a TX chain waits for.
        signals.lookAgain();
      }
    } catch (VhostException e) {
      // The descriptor is of the wrong kind. The message has taken effect in part, so the
      // connection must end.
      return Outcome.hungUp(String.valueOf(e.getMessage()));
    }
    boolean failed = request == FrontEndRequest.CHECK_DEVICE_STATE && !transfers.stateIsWell();
    return failed ? Outcome.failed("the device's state").inAnswerTo(request) : outcome;
  }

  private void takeChannel(OwnedDescriptor socket) {
    closeAsker();
    asker =
        BackEndAsker.start(
            BackEndRequester.adopt(socket, "the back end's channel", ledger), number, record);
  }

  private void askFirst(Wrong.AskFirst first) {
    BackEndAsker channel = asker;
    if (channel == null) {
      record.note("scripted: " + first.request() + " cannot be asked, there is no channel");
      return;
    }
    CompletableFuture<FrontEndAnswer> answer =
        channel.ask(first.request(), first.payload(), List.of(), true);
    Deadline deadline = BackEndAnswers.deadline();
    while (!answer.isDone() && !pause.isOver() && !deadline.expired()) {
      try {
        answer.get(20, TimeUnit.MILLISECONDS).close();
      } catch (TimeoutException | ExecutionException _) {
        // The loop waits again after a time-out. The asker records a failure.
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private void apply(
      Effect effect, List<OwnedDescriptor> descriptors, List<OwnedDescriptor> outgoing) {
    switch (effect) {
      case Effect.RingStarted(int ring) -> {
        signals.started(ring, polls());
        transfers.ringStarted(ring);
      }
      case Effect.NotifiersForgotten(int ring, boolean kick, boolean call) ->
          signals.forgotten(ring, kick, call);
      case Effect.CallSignalled(int ring) -> signals.call(ring);
      case Effect.TranslationMissed(int ring, Iotlb miss) -> missed(ring, miss);
      case Effect.TranslationTold(Iotlb message, boolean kept) -> {
        record.translationTold(message, kept);
        rings.translationTold(message);
      }
      case Effect.KickedInBand(int ring) -> signals.kickedInBand(ring);
      case Effect.MemoryReplaced(var regions, boolean isNew) -> {
        if (isNew) {
          hardware.mapMemory(regions.stream().mapToLong(r -> r.size()).sum());
        }
      }
      case Effect.RegionAdded(var region) -> hardware.mapMemory(region.size());
      case Effect.RegionRemoved(var region) -> memory.memory().remove(region);
      case Effect.HardwareForgotten _ -> hardware.forget();
      case Effect.StationAnnounced(long mac) ->
          port.transmit(new Packet.Rarp(station(mac)).encode());
      case Effect.InflightMade(InflightLayout layout) -> transfers.inflightMade(layout, outgoing);
      case Effect.InflightTaken(InflightLayout layout, long offset) ->
          transfers.inflightTaken(layout, offset, descriptors.removeFirst());
      case Effect.StateTransferBegun begun ->
          transfers.stateBegun(begun, descriptors.removeFirst(), outgoing);
      case Effect.ObjectGiven given -> transfers.objectGiven(given, outgoing);
      case Effect.PostcopyAdvised _ -> transfers.postcopyAdvised(outgoing);
      case Effect.RingStopped _, Effect.Configured _, Effect.LogReplaced _ -> {
        // Rings are looked up each time. Hardware and the log are handled where the answer is made.
      }
    }
  }

  private void configure(Outcome outcome, boolean beforeAnswer) {
    for (Effect effect : outcome.effects()) {
      if (effect instanceof Effect.Configured configured
          && configured.beforeAnswer() == beforeAnswer) {
        hardware.configure(configured.occasion(), configured.image());
      }
    }
  }

  boolean polls() {
    return state.offer().personality().start() == Personality.Start.DEVICE_READY;
  }

  private int usedIndex(int ring) {
    return SplitRing.of(state.model(ring), memory(), (_, _) -> {}, (_, _) -> {}).usedIndex();
  }

  /** Returns whether there were breaches since the last call. */
  private boolean noteBreaches() {
    List<RuleBreach> all = state.violations();
    List<RuleBreach> more = all.subList(breachesSeen, all.size());
    record.violations(more);
    breachesSeen = all.size();
    return !more.isEmpty();
  }

  private void malformed(String what) {
    record.violations(List.of(new RuleBreach(RuleBreach.Rule.MALFORMED, what)));
  }

  private static MacAddress station(long mac) {
    byte[] bytes =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(mac).array();
    return MacAddress.of(bytes, 0);
  }

  private static Optional<Payload> decode(@Nullable FrontEndRequest request, byte[] bytes) {
    if (request == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(request.payload().decode(Unpooled.wrappedBuffer(bytes), bytes.length));
    } catch (ProtocolException _) {
      return Optional.empty();
    }
  }

  private static Payload opaque(byte[] bytes) {
    return PayloadKind.OPAQUE.decode(Unpooled.wrappedBuffer(bytes), bytes.length);
  }

  private void closeAsker() {
    BackEndAsker channel = asker;
    if (channel != null) {
      channel.close();
      asker = null;
    }
  }

  @Override
  public void close() {
    // The main socket is closed first, so that the front end does not wait for the channel to end.
    connection.close();
    closeAsker();
    signals.close();
    transfers.close();
    memory.close();
  }
}
