package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
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
  private static final long A_DAY_NANOS = Duration.ofDays(1).toNanos();

  private final NicOptions options;
  private final Together together;
  private final FrontEndLink link;
  private final EventFd wakeUp;
  private final NicService service;
  private final Queue<Runnable> posted = new ConcurrentLinkedQueue<>();
  private final Thread thread;
  private volatile boolean closing;

  /** Reads the front end's messages; null while no switch has said what can be offered. */
  private @Nullable FrontEndMessages messages;

  private Deadline offerUntil = Deadline.after(OFFER_WITHIN);

  /**
   * What the NICs of a mediator share.
   *
   * @param ledger where descriptors are recorded
   * @param turns lets one NIC preset at a time
   * @param publish tells the other mediator something; does not wait
   * @param remembered keeps what each NIC had when it started
   */
  record Together(
      DescriptorLedger ledger,
      PresetTurns turns,
      Consumer<Hint> publish,
      RememberedStarts remembered) {}

  private Nic(NicOptions options, Together together, FrontEndLink link, EventFd wakeUp) {
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
    FrontEndLink link = FrontEndLink.open(options.frontEnd(), options.name(), together.ledger());
    try {
      EventFd wakeUp = EventFd.create(together.ledger(), options.name() + " wake-up");
      Nic nic = new Nic(options, together, link, wakeUp);
      nic.thread.start();
      return nic;
    } catch (RuntimeException e) {
      link.close();
      throw e;
    }
  }

  private NicService.Surroundings surroundings() {
    return new NicService.Surroundings() {
      private final Runnable wake = Nic.this::wake;

      @Override
      public void post(Runnable task) {
        Nic.this.post(task);
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
      public boolean takeTurn() {
        return together.turns().take(Nic.this, wake);
      }

      @Override
      public void giveTurnBack() {
        together.turns().giveBack(Nic.this);
      }
    };
  }

  /** Has the thread look at what is due. */
  private void wake() {
    wakeUp.signal();
  }

  NicOptions options() {
    return options;
  }

  /** Has the NIC's thread run something. Any thread may call this. */
  void post(Runnable task) {
    posted.add(task);
    wakeUp.signal();
  }

  /** {@return the service, for tasks on the NIC's thread} */
  NicService service() {
    return service;
  }

  private void run() {
    try (Poller poller = new Poller(2 + NicService.WATCHED)) {
      while (!closing) {
        turn(poller);
      }
    } finally {
      link.close();
      service.close();
    }
  }

  private void turn(Poller poller) {
    try {
      poller.clear();
      poller.add(wakeUp.descriptor().number(), Poller.IN);
      boolean reads = !link.isConnected() || messages != null;
      int front = poller.add(reads ? link.number() : -1, Poller.IN);
      service.watch(poller);
      poller.await(nanosToNextTask());
      wakeUp.drain();
      service.serve(poller, front + 1);
      runPosted();
      makeOffer();
      if (poller.ready(front) != 0 || (!link.isConnected() && link.connectsItself())) {
        frontEndIsReady();
      }
    } catch (RuntimeException e) {
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
        log.info("{}: the front end has connected", name());
        service.frontEndCame(link.socket());
        together.remembered().of(name()).ifPresent(service::predictFromFile);
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
      service.history().message();
      Action action = reader.take(message.request(), message.payload(), message.files());
      carryOut(message, action, reader);
    } catch (VhostException e) {
      hangUp(String.valueOf(e.getMessage()));
    }
  }

  /** What can be offered is known once a switch is connected. A later switch may offer more. */
  private void makeOffer() {
    Offer offer = service.offer();
    if (!link.isConnected()) {
      return;
    }
    if (offer != null && messages == null) {
      messages = new FrontEndMessages(service.device(), offer);
    } else if (offer != null && messages != null) {
      messages.offer(offer);
    } else if (messages == null && offerUntil.expired()) {
      hangUp("no switch was there within " + offerUntil);
    }
  }

  private void carryOut(FrontEndLink.Message message, Action action, FrontEndMessages reader) {
    switch (action) {
      case Action.Answer(var payload) -> link.answer(message, payload);
      case Action.Noted _ -> link.acknowledge(message, true);
      case Action.Changed _ ->
          link.acknowledge(message, service.changed(message.needsReply(), !reader.hasStatus()));
      case Action.ChangedAndAnswered _ -> {
        service.changed(true, !reader.hasStatus());
        link.answer(message, new U64(0));
      }
      case Action.Start _ -> {
        service.start();
        link.acknowledge(message, true);
      }
      case Action.Reset _ -> {
        service.stop();
        link.acknowledge(message, true);
      }
      case Action.Stop(int ring) -> {
        service.stop();
        Integer base = service.device().ring(ring).base();
        link.answer(message, new VringState(ring, base == null ? 0 : base));
      }
      case Action.Announce(byte[] mac) -> {
        service.announce(mac);
        link.acknowledge(message, true);
      }
    }
  }

  private void hangUp(String why) {
    if (!link.isConnected()) {
      return;
    }
    log.info("{}: the connection to the front end ends: {}", name(), why);
    link.hangUp();
    messages = null;
    service.frontEndWent();
  }

  /** Ends the NIC. Its front end sees a hang-up, and its switch stops serving. */
  @Override
  public void close() {
    closing = true;
    wakeUp.signal();
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
    runPosted(); // a switch that was found meanwhile is closed
    wakeUp.close();
  }
}
