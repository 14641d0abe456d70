package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndConnection;
import io.github.jvhost.channel.Received;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.OpaquePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.MacAddress;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One connection of a {@link MockBackEnd}: takes messages, applies what {@link BackEndState} says,
 * and owns everything that lives as long as the connection: mappings, log, notifiers, what is in
 * modelled hardware. Used by one thread.
 */
final class BackEndSession implements AutoCloseable {
  private final BackEndConnection connection;
  private final int number;
  private final BackEndRecord record;
  private final BackEndAnswers answers;
  private final SwitchPort port;
  private final BackEndState state;
  private final ModelledHardware hardware;
  private final RingNotifiers[] notifiers;
  private BackEndMemory memory = new BackEndMemory();
  private @Nullable BackEndDirtyLog log;
  private int breachesSeen;
  private boolean deaf;

  BackEndSession(
      BackEndConnection connection,
      int number,
      BackEndOffer offer,
      ModelledHardware hardware,
      SwitchPort port,
      BackEndRecord record,
      BackEndAnswers.Pause pause) {
    this.connection = connection;
    this.number = number;
    this.record = record;
    this.port = port;
    this.hardware = hardware;
    this.answers = new BackEndAnswers(connection, record, pause);
    this.state = new BackEndState(offer, this::usedIndex);
    this.notifiers = new RingNotifiers[offer.rings()];
    Arrays.setAll(notifiers, _ -> new RingNotifiers());
  }

  BackEndState state() {
    return state;
  }

  BackEndMemory memory() {
    return memory;
  }

  RingNotifiers notifiers(int ring) {
    return notifiers[ring];
  }

  /** The socket to watch, -1 once the session does not read any more. */
  int readable(FaultScript script) {
    return deaf || script.leavesNextUnread() ? -1 : connection.number();
  }

  /** The socket, to notice that the front end has gone. */
  int socket() {
    return connection.number();
  }

  void markDirty(long guestAddress, long length) {
    if (log != null) {
      log.mark(guestAddress, length);
    }
  }

  /**
   * Takes one message.
   *
   * @return why the connection is over, null while it is not
   * @throws VhostException when the front end is gone, or its bytes make no sense
   */
  @Nullable String takeMessage(FaultScript script) {
    Received received = connection.receive(BackEndAnswers.deadline());
    List<OwnedDescriptor> descriptors = new ArrayList<>(received.descriptors());
    try {
      return take(received, descriptors, script);
    } finally {
      descriptors.forEach(OwnedDescriptor::close);
    }
  }

  private @Nullable String take(
      Received received, List<OwnedDescriptor> descriptors, FaultScript script) {
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
    Outcome outcome;
    if (wrong instanceof Wrong.Refuse) {
      outcome = Outcome.failed("scripted: refused");
    } else if (request == null) {
      outcome = state.unknown("request " + header.request());
    } else if (decoded.isEmpty()) {
      outcome = Outcome.failed("a malformed " + request);
    } else {
      outcome = apply(request, payload, descriptors);
    }
    boolean asked = header.needsReply();
    if (asked && request != null) {
      state.acknowledgementAskedFor(request);
      asked = ProtocolFeature.REPLY_ACK.isIn(state.protocolFeatures());
    }
    noteBreaches();
    configure(outcome, true);
    String over = answers.answer(header.request(), outcome, asked, wrong);
    if (over == null) {
      configure(outcome, false);
    }
    return over;
  }

  /**
   * Maps first, since the state may look into the new memory at once; undone where the state
   * refuses.
   */
  private Outcome apply(
      FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    return switch (payload) {
      case MemoryTablePayload table when descriptors.size() == table.regions().size() ->
          replaceMemory(request, table, descriptors);
      case SingleRegion single
          when request == FrontEndRequest.ADD_MEM_REG && descriptors.size() == 1 ->
          addRegion(request, single, descriptors);
      case LogRegion place when descriptors.size() == 1 -> replaceLog(request, place, descriptors);
      default -> {
        Outcome outcome = state.handle(request, payload, descriptors.size());
        if (payload instanceof VringDescriptor told && outcome.tookEffect()) {
          keepNotifier(request, told.index(), descriptors);
        }
        applyEffects(outcome);
        yield outcome;
      }
    };
  }

  private Outcome replaceMemory(
      FrontEndRequest request, MemoryTablePayload table, List<OwnedDescriptor> descriptors) {
    BackEndMemory before = memory;
    BackEndMemory after;
    try {
      after = BackEndMemory.map(table.regions(), List.copyOf(descriptors));
    } catch (VhostException e) {
      return Outcome.failed(String.valueOf(e.getMessage()));
    }
    memory = after;
    Outcome outcome;
    try {
      outcome = state.handle(request, table, descriptors.size());
    } catch (RuntimeException e) {
      before.close();
      throw e;
    }
    boolean replaced = outcome.effects().stream().anyMatch(e -> e instanceof Effect.MemoryReplaced);
    memory = replaced ? after : before;
    (replaced ? before : after).close();
    applyEffects(outcome);
    return outcome;
  }

  private Outcome addRegion(
      FrontEndRequest request, SingleRegion single, List<OwnedDescriptor> descriptors) {
    try {
      memory.add(single.region(), descriptors.getFirst());
    } catch (VhostException e) {
      return Outcome.failed(String.valueOf(e.getMessage()));
    }
    Outcome outcome = state.handle(request, single, 1);
    if (!outcome.tookEffect()) {
      memory.remove(single.region());
    }
    applyEffects(outcome);
    return outcome;
  }

  private Outcome replaceLog(
      FrontEndRequest request, LogRegion place, List<OwnedDescriptor> descriptors) {
    Outcome outcome = state.handle(request, place, 1);
    if (outcome.tookEffect()) {
      BackEndDirtyLog next;
      try {
        next = BackEndDirtyLog.map(place, descriptors.getFirst());
      } catch (VhostException e) {
        return Outcome.hungUp(String.valueOf(e.getMessage()));
      }
      closeLog();
      log = next;
    }
    return outcome;
  }

  private void keepNotifier(FrontEndRequest request, int ring, List<OwnedDescriptor> descriptors) {
    // The ring's notifiers own a kept descriptor: it must not be closed with the message.
    switch (request) {
      case SET_VRING_KICK -> notifiers[ring].kick(takeFirst(descriptors));
      case SET_VRING_CALL -> notifiers[ring].call(takeFirst(descriptors));
      default -> {
        // SET_VRING_ERR: rings report nothing.
      }
    }
  }

  private static @Nullable OwnedDescriptor takeFirst(List<OwnedDescriptor> descriptors) {
    return descriptors.isEmpty() ? null : descriptors.removeFirst();
  }

  private void applyEffects(Outcome outcome) {
    for (Effect effect : outcome.effects()) {
      switch (effect) {
        case Effect.RingStarted(int ring) -> {
          notifiers[ring].broken = false;
          // A poll mode driver looks into a ring by itself; all others wait for the first kick.
          notifiers[ring].kicked = polls() || notifiers[ring].kick() == null;
        }
        case Effect.NotifiersForgotten(int ring, boolean kick, boolean call) -> {
          if (kick) {
            notifiers[ring].closeKick();
          }
          if (call) {
            notifiers[ring].closeCall();
          }
        }
        case Effect.CallSignalled(int ring) -> signalCall(ring);
        case Effect.MemoryReplaced(var regions, boolean isNew) -> {
          if (isNew) {
            hardware.mapMemory(regions.stream().mapToLong(r -> r.size()).sum());
          }
        }
        case Effect.RegionAdded(var region) -> hardware.mapMemory(region.size());
        case Effect.RegionRemoved(var region) -> memory.remove(region);
        case Effect.HardwareForgotten _ -> hardware.forget();
        case Effect.StationAnnounced(long mac) ->
            port.transmit(new Packet.Rarp(station(mac)).encode());
        case Effect.RingStopped _, Effect.Configured _, Effect.LogReplaced _ -> {
          // Rings are looked up each time; hardware and the log are taken care of where the answer
          // is ordered.
        }
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

  void signalCall(int ring) {
    try {
      notifiers[ring].signalCall();
    } catch (VhostException e) {
      record.note("call of ring " + ring + ": " + e.getMessage());
    }
  }

  private int usedIndex(int ring) {
    return SplitRing.of(state.model(ring), memory, (_, _) -> {}, (_, _) -> {}).usedIndex();
  }

  private void noteBreaches() {
    List<RuleBreach> all = state.violations();
    record.violations(all.subList(breachesSeen, all.size()));
    breachesSeen = all.size();
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
    return OpaquePayload.decode(Unpooled.wrappedBuffer(bytes), bytes.length);
  }

  private void closeLog() {
    if (log != null) {
      log.close();
      log = null;
    }
  }

  @Override
  public void close() {
    for (RingNotifiers ring : notifiers) {
      ring.close();
    }
    closeLog();
    memory.close();
    connection.close();
  }
}
