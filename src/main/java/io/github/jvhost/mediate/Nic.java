package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.keep.DescriptorStore;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.BackEndAddress;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One NIC: its front end, its {@link NicService}, and the one thread that serves both.
 *
 * <pre>
 *   front end --messages--&gt; FrontEndLink --&gt; FrontEndMessages --Action--&gt; NicService --plans--&gt; switch
 * </pre>
 *
 * <p>Everything but {@link #post} and {@link #close} is called on the NIC's thread. It waits for
 * nobody without a bound, because the front end waits for its answers without one.
 */
final class Nic implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Nic.class);
  private static final Duration OFFER_WITHIN = Duration.ofSeconds(5);
  private static final Duration CLOSING = Duration.ofSeconds(30);
  private static final long FRONT_END_PAUSE_NANOS = 20_000_000;
  private static final Payload DONE = new U64(0);
  private static final Payload FAILED = new U64(1);
  private static final long A_DAY_NANOS = Duration.ofDays(1).toNanos();

  private final NicOptions options;
  private final Together together;
  private final FrontEndLink link;
  private final EventFd wakeUp;
  private final NicService service;
  private final Queue<Runnable> posted = new ConcurrentLinkedQueue<>();

  /** Guards {@link #ended}, and so the wake-up of a NIC that has ended. */
  private final Object lock = new Object();

  private boolean ended;
  private final Thread thread;
  private volatile boolean closing;

  /** Reads the front end's messages; null while no switch has said what can be offered. */
  private @Nullable FrontEndMessages messages;

  private Deadline offerUntil = Deadline.after(OFFER_WITHIN);

  /** Saves what a mediator that takes over has to know; null: nobody takes over. */
  private final @Nullable NicSaver saver;

  /** Whether something has changed that is not saved yet. */
  private boolean unsaved;

  /** Whether this mediator ends so that another one goes on, and leaves its connections. */
  private volatile boolean leaving;

  /**
   * What the NICs of a mediator share.
   *
   * @param ledger where descriptors are recorded
   * @param turns lets one NIC preset at a time
   * @param publish tells the other mediator something; does not wait
   * @param remembered keeps what each NIC had when it started
   * @param store holds descriptors for a mediator that takes over; null: nobody takes over
   * @param left what an earlier mediator has left in it, by name
   * @param sockets where switches are that operators name
   */
  record Together(
      DescriptorLedger ledger,
      PresetTurns turns,
      Consumer<Hint> publish,
      RememberedStarts remembered,
      @Nullable DescriptorStore store,
      Map<String, OwnedDescriptor> left,
      SwitchSockets sockets) {}

  private Nic(
      NicOptions options,
      Together together,
      FrontEndLink link,
      EventFd wakeUp,
      @Nullable NicSaver saver) {
    this.saver = saver;
    this.options = options;
    this.together = together;
    this.link = link;
    this.wakeUp = wakeUp;
    this.service = new NicService(options, together.ledger(), surroundings());
    this.thread =
        Thread.ofPlatform().name("jvhost-nic " + options.name()).daemon().unstarted(this::run);
  }

  /**
   * Begins to serve a NIC.
   *
   * @throws VhostException (GIVE_UP) if it cannot listen for its front end
   */
  static Nic start(NicOptions options, Together together) {
    return start(
        options,
        FrontEndLink.open(options.frontEnd(), options.name(), together.ledger()),
        together);
  }

  /**
   * The same, where the front end is listened for already.
   *
   * @param link taken over, also if this fails
   */
  static Nic start(NicOptions options, FrontEndLink link, Together together) {
    try {
      DescriptorStore store = together.store();
      NicSaver saver = null;
      NicSaver.Left left = null;
      if (store != null) {
        DescriptorLedger ledger = together.ledger();
        left = NicSaver.takeUp(options.name(), store, ledger, together.left()).orElse(null);
        saver = left == null ? NicSaver.begin(options.name(), store, ledger) : left.saver();
        link.isKept();
      }
      EventFd wakeUp = EventFd.create(together.ledger(), options.name() + " wake-up");
      Nic nic = new Nic(options, together, link, wakeUp, saver);
      if (left != null) {
        nic.restore(left); // before its thread runs
      }
      nic.thread.start();
      return nic;
    } catch (RuntimeException e) {
      link.close();
      throw e;
    }
  }

  private NicShared.Surroundings surroundings() {
    return new NicShared.Surroundings() {
      private final Runnable wake = Nic.this::wake;

      @Override
      public boolean post(Runnable task) {
        return Nic.this.post(task);
      }

      @Override
      public BackEndAddress address(String text) {
        boolean usual = text.isEmpty() || text.equals(SwitchSockets.text(options.theSwitch()));
        return usual ? options.theSwitch() : together.sockets().address(name(), text);
      }

      @Override
      public void publish(Hint hint) {
        together.publish().accept(hint);
      }

      @Override
      public void remember(Hint hint) {
        together.remembered().keep(hint);
      }

      @Override
      public void saveAsHalfTold() {
        save(NicState.NO_SWITCH);
        unsaved = true;
      }

      @Override
      public void hasChanged() {
        unsaved = true;
      }

      @Override
      public boolean takeTurn(int process) {
        return together.turns().take(process, Nic.this, wake);
      }

      @Override
      public void giveTurnBack() {
        together.turns().giveBack(Nic.this);
      }
    };
  }

  /** Has the thread look at what is due. */
  private void wake() {
    synchronized (lock) {
      if (!ended) {
        wakeUp.signal();
      }
    }
  }

  NicOptions options() {
    return options;
  }

  /**
   * Has the NIC's thread run something. Any thread may call this.
   *
   * @return false if the NIC has ended, and nothing is run
   */
  boolean post(Runnable task) {
    synchronized (lock) {
      if (!ended) {
        posted.add(task);
        wakeUp.signal();
      }
      return !ended;
    }
  }

  /** {@return the service, for tasks on the NIC's thread} */
  NicService service() {
    return service;
  }

  /** Goes on where an earlier mediator has left the NIC. */
  private void restore(NicSaver.Left left) {
    Map<String, OwnedDescriptor> files = left.files();
    SavedNic saved = left.saved();
    Set<String> taken = new HashSet<>();
    Function<String, OwnedDescriptor> take =
        name -> {
          OwnedDescriptor file = files.get(name);
          if (file == null) {
            throw new VhostException(
                "%s: the store does not have %s, which the saved state names"
                    .formatted(name(), name),
                Recovery.GIVE_UP);
          }
          return taken.add(name)
              ? file
              : OwnedDescriptor.duplicateOf(
                  together.ledger(), file.number(), file.identity().what());
        };
    try {
      if (!saved.frontEnd().isEmpty()) {
        link.resume(take.apply(saved.frontEnd()));
        service.restore(saved, link.socket(), take);
        offerUntil = Deadline.after(OFFER_WITHIN);
        makeOffer();
        if (messages != null) {
          messages.acknowledged(saved.protocolFeatures());
        }
      }
    } catch (VhostException e) {
      log.error("{}: it cannot be taken over: {}", name(), e.getMessage());
      hangUp("it could not be taken over");
    } finally {
      files.forEach((name, file) -> {
        if (!taken.contains(name)) {
          file.close();
        }
      });
    }
    save();
  }

  /** What is going on, as it is shown. */
  NicStatus status() {
    return service.status(saver == null ? null : saver.failure());
  }

  private void save() {
    save(service.serving().state());
  }

  /** Saves the NIC, if somebody takes over, as one that is in this state. */
  private void save(NicState as) {
    unsaved = false;
    if (saver != null) {
      long acknowledged = messages == null ? 0 : messages.protocolFeatures();
      saver.write(service.saved(as, saver, link.saved(saver), acknowledged));
    }
  }

  private void run() {
    try (Poller poller = new Poller(2 + NicService.WATCHED)) {
      while (!closing) {
        turn(poller);
      }
    } finally {
      if (leaving) {
        link.stopListening();
        service.nic().device().close(); // the store has duplicates; only sockets must stay open
      } else {
        link.close();
        service.close();
        if (saver != null) {
          saver.forget();
        }
      }
      if (saver != null) {
        saver.close();
      }
    }
  }

  private void turn(Poller poller) {
    try {
      runPosted();
      service.doWhatIsDue();
      makeOffer();
      if (unsaved) {
        save();
      }
      poller.clear();
      poller.add(wakeUp.descriptor().number(), Poller.IN);
      boolean reads = !link.isConnected() || messages != null;
      int front = poller.add(reads ? link.number() : -1, Poller.IN);
      service.watch(poller);
      poller.await(nanosToNextTask());
      wakeUp.drain();
      service.serve(poller, front + 1);
      if (poller.ready(front) != 0 || (!link.isConnected() && link.connectsItself())) {
        frontEndIsReady();
      }
    } catch (RuntimeException | Error e) { // a thread that ended would leave the NIC as it is
      log.error("{}: an error of the mediator; its front end has to connect anew", name(), e);
      hangUp("an error of the mediator: " + e);
    }
  }

  private void runPosted() {
    for (Runnable task = posted.poll(); task != null; task = posted.poll()) {
      task.run();
    }
  }

  private long nanosToNextTask() {
    if (!posted.isEmpty()) {
      return 0;
    }
    long nanos = Math.min(A_DAY_NANOS, service.nanosToNextTask());
    if (!link.isConnected() && link.connectsItself()) {
      nanos = Math.min(nanos, FRONT_END_PAUSE_NANOS);
    }
    if (link.isConnected() && messages == null) {
      nanos = Math.min(nanos, offerUntil.remainingNanos());
    }
    return nanos;
  }

  private String name() {
    return options.name();
  }

  private void frontEndIsReady() {
    if (!link.isConnected()) {
      if (link.come()) {
        offerUntil = Deadline.after(OFFER_WITHIN);
        log.atLevel(service.nic().level()).log("{}: the front end has connected", name());
        service.frontEndCame(link.socket());
        together.remembered().of(name()).ifPresent(service.early()::predictFromFile);
        makeOffer();
      }
      return;
    }
    FrontEndMessages reader = messages;
    if (reader == null) {
      return;
    }
    try {
      FrontEndLink.Message message = link.receive();
      service.nic().history().message();
      if (service.serving().state() == NicState.RUNNING
          && FrontEndMessages.maySwitchBeTold(message.request())) {
        save(NicState.NO_SWITCH);
      }
      Action action = reader.take(message.request(), message.payload(), message.files());
      Payload answer = carryOut(message, action, reader);
      if (!(action instanceof Action.Answer)) {
        save();
      }
      if (action.isAnswered() || message.needsReply()) {
        link.answer(message, answer);
      }
      link.taken();
    } catch (VhostException e) {
      hangUp(String.valueOf(e.getMessage()));
    }
  }

  /** What can be offered is known once a switch is connected. A later switch may offer more. */
  private void makeOffer() {
    Offer offer = service.serving().offer();
    if (!link.isConnected()) {
      return;
    }
    if (offer != null && messages == null) {
      messages = new FrontEndMessages(service.nic().device(), offer);
    } else if (offer != null && messages != null) {
      messages.offer(offer);
    } else if (messages == null && offerUntil.expired()) {
      hangUp("no switch was there within " + offerUntil);
    }
  }

  /** Does what a message asks for, and returns the answer, should it have one. */
  private Payload carryOut(FrontEndLink.Message message, Action action, FrontEndMessages reader) {
    return switch (action) {
      case Action.Answer(var payload) -> payload;
      case Action.Noted _ -> DONE;
      case Action.Changed _ -> changed(message, reader, message.needsReply()) ? DONE : FAILED;
      case Action.ChangedAndAnswered _ -> {
        var _ = changed(message, reader, true);
        yield DONE;
      }
      case Action.Start _ -> {
        service.start();
        yield DONE;
      }
      case Action.Reset _ -> {
        service.reset();
        yield DONE;
      }
      case Action.Stop(int ring) -> new VringState(ring, service.stop(ring));
      case Action.Announce(byte[] mac) -> {
        service.announce(mac);
        yield DONE;
      }
    };
  }

  private boolean changed(FrontEndLink.Message message, FrontEndMessages reader, boolean waits) {
    boolean kick = message.request() == FrontEndRequest.SET_VRING_KICK;
    return service.changed(waits, kick, reader.hasStatus());
  }

  private void hangUp(String why) {
    if (!link.isConnected()) {
      return;
    }
    log.atLevel(service.nic().level())
        .log("{}: the connection to the front end ends: {}", name(), why);
    link.hangUp();
    messages = null;
    service.frontEndWent();
  }

  /**
   * Ends the thread, and leaves the connections open until this process ends. A mediator that takes
   * over goes on with them.
   */
  void leave() {
    leaving = saver != null;
    close();
  }

  /** Ends the NIC. Its front end sees a hang-up, and its switch stops serving. */
  @Override
  public void close() {
    closing = true;
    wake();
    boolean interrupted = false;
    Deadline deadline = Deadline.after(CLOSING);
    while (thread.isAlive() && !deadline.expired()) {
      try {
        thread.join(Duration.ofNanos(Math.max(1, deadline.remainingNanos())));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    synchronized (lock) {
      ended = true;
      wakeUp.close();
    }
    runPosted(); // a switch that was found meanwhile is closed
  }
}
