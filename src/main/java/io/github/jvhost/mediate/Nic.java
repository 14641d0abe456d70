package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Step;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One NIC: its front end, its switch, and the one thread that serves both.
 *
 * <pre>
 *   front end --messages--&gt; FrontEndDevice --desired--&gt; SwitchConnection --difference--&gt; switch
 *              FrontEndLink                              (shadow, planner)
 * </pre>
 *
 * <p>Everything but {@link #post} is called on the NIC's thread. It waits for nobody without a
 * bound: the front end waits for its answers without one.
 */
final class Nic implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Nic.class);
  private static final Duration OFFER_WITHIN = Duration.ofSeconds(5);
  private static final Duration CLOSING = Duration.ofSeconds(30);
  private static final long FRONT_END_PAUSE_NANOS = 20_000_000;
  private static final long A_DAY_NANOS = Duration.ofDays(1).toNanos();

  private final NicOptions options;
  private final DescriptorLedger ledger;
  private final FrontEndLink link;
  private final FrontEndDevice device = new FrontEndDevice();
  private final EventFd wakeUp;
  private final Queue<Runnable> posted = new ConcurrentLinkedQueue<>();
  private final Thread thread;
  private final SwitchSearch search;
  private volatile boolean closing;

  private NicState state = NicState.NO_FRONT_END;
  private @Nullable SwitchConnection serving;
  private @Nullable FrontEndMessages messages;
  private Deadline offerUntil = Deadline.after(OFFER_WITHIN);
  private NicHistory history = new NicHistory();

  private Nic(NicOptions options, DescriptorLedger ledger, FrontEndLink link, EventFd wakeUp) {
    this.options = options;
    this.ledger = ledger;
    this.link = link;
    this.wakeUp = wakeUp;
    this.search = search(options.theSwitch());
    this.thread =
        Thread.ofPlatform().name("jvhost-nic " + options.name()).daemon().unstarted(this::run);
  }

  /**
   * Begins to serve a NIC.
   *
   * @throws VhostException (GIVE_UP) if it cannot listen for its front end
   */
  static Nic start(NicOptions options, DescriptorLedger ledger) {
    FrontEndLink link = FrontEndLink.open(options.frontEnd(), options.name(), ledger);
    try {
      EventFd wakeUp = EventFd.create(ledger, options.name() + " wake-up");
      Nic nic = new Nic(options, ledger, link, wakeUp);
      nic.thread.start();
      return nic;
    } catch (RuntimeException e) {
      link.close();
      throw e;
    }
  }

  private SwitchSearch search(BackEndAddress where) {
    VhostDeviceOptions reached =
        VhostDeviceOptions.of(options.name(), where, options.dialect(), options.profile(), ledger)
            .withProtocolFeatures(Offer.TO_THE_SWITCH);
    return new SwitchSearch(
        reached, found -> post(() -> switchCame(found)), failure -> post(() -> notFound(failure)));
  }

  NicOptions options() {
    return options;
  }

  /** Has the NIC's thread run something. Any thread may call this. */
  void post(Runnable task) {
    posted.add(task);
    wakeUp.signal();
  }

  // ---- the loop ----

  private void run() {
    try (Poller poller = new Poller(3)) {
      while (!closing) {
        turn(poller);
      }
    } finally {
      device.close();
      link.close();
      search.restart();
      if (serving != null) {
        serving.close();
      }
    }
  }

  private void turn(Poller poller) {
    try {
      runPosted();
      if (serving == null) {
        search.attempt();
      }
      poller.clear();
      poller.add(wakeUp.descriptor().number(), Poller.IN);
      boolean listens = !link.isConnected() || messages != null;
      int front = poller.add(listens ? link.number() : -1, Poller.IN);
      SwitchConnection now = serving;
      int back = poller.add(now == null ? -1 : now.number(), now == null ? 0 : now.events());
      poller.await(nanosToNextTask());
      wakeUp.drain();
      if (poller.ready(back) != 0 || (now != null && now.nanosLeft() <= 0)) {
        switchIsReady();
      }
      if (poller.ready(front) != 0 || (!link.isConnected() && link.connectsItself())) {
        frontEndIsReady();
      }
      if (link.isConnected() && messages == null && offerUntil.expired()) {
        frontEndWent("no switch was there within " + offerUntil);
      }
    } catch (RuntimeException e) {
      log.error("{}: the NIC begins anew after an error of the mediator", options.name(), e);
      frontEndWent("an error of the mediator: " + e);
    }
  }

  private void runPosted() {
    for (Runnable task = posted.poll(); task != null; task = posted.poll()) {
      task.run();
    }
  }

  private long nanosToNextTask() {
    long nanos = A_DAY_NANOS;
    if (serving == null) {
      nanos = Math.min(nanos, search.nanosLeft());
    } else {
      nanos = Math.min(nanos, serving.nanosLeft());
    }
    if (!link.isConnected() && link.connectsItself()) {
      nanos = Math.min(nanos, FRONT_END_PAUSE_NANOS);
    }
    if (link.isConnected() && messages == null) {
      nanos = Math.min(nanos, offerUntil.remainingNanos());
    }
    return nanos;
  }

  private void to(NicState.Event event) {
    NicState before = state;
    state =
        state
            .after(event)
            .orElseThrow(() -> new IllegalStateException(event + " in state " + before));
    if (state != before) {
      log.debug("{}: {} -> {} ({})", options.name(), before, state, event);
    }
  }

  private Deadline answer() {
    return Deadline.after(options.answersWithin());
  }

  // ---- the front end ----

  private void frontEndIsReady() {
    if (!link.isConnected()) {
      if (link.come()) {
        offerUntil = Deadline.after(OFFER_WITHIN);
        to(NicState.Event.FRONT_END_CAME);
        history.frontEndCame();
        log.info("{}: the front end has connected", options.name());
        makeOffer();
      }
      return;
    }
    FrontEndMessages speaks = messages;
    if (speaks == null) {
      return;
    }
    try {
      FrontEndLink.Message message = link.receive();
      history.message();
      handle(message, speaks.take(message.request(), message.payload(), message.files()));
    } catch (VhostException e) {
      frontEndWent(String.valueOf(e.getMessage()));
    }
    if (serving == null || !serving.isBusy()) {
      device.closeReplaced();
    }
  }

  private void makeOffer() {
    if (serving != null && link.isConnected() && messages == null) {
      messages = new FrontEndMessages(device, Offer.of(serving.capabilities()));
    }
  }

  private void handle(FrontEndLink.Message message, Action action) {
    switch (action) {
      case Action.Answer(var payload) -> link.answer(message, payload);
      case Action.Noted _ -> link.acknowledge(message, true);
      case Action.Changed _ -> link.acknowledge(message, changed(message.needsReply()));
      case Action.ChangedAndAnswered _ -> {
        changed(true);
        link.answer(message, new U64(0));
      }
      case Action.Start _ -> {
        start();
        link.acknowledge(message, true);
      }
      case Action.Reset _ -> {
        stop();
        link.acknowledge(message, true);
      }
      case Action.Stop(int ring) -> {
        stop();
        Integer base = device.ring(ring).base();
        link.answer(message, new VringState(ring, base == null ? 0 : base));
      }
      case Action.Announce(byte[] mac) -> {
        if (serving != null) {
          serving.device().announce(mac);
        }
        link.acknowledge(message, true);
      }
    }
  }

  /** The front end has gone, or has to go. Only the end of its connection undoes a presetup. */
  private void frontEndWent(String why) {
    if (!link.isConnected()) {
      return;
    }
    log.info("{}: the connection to the front end ends: {}", options.name(), why);
    link.hangUp();
    messages = null;
    to(NicState.Event.FRONT_END_WENT);
    if (serving != null) {
      serving.close();
      serving = null;
      search.restart();
    }
    device.close();
  }

  // ---- what the switch is told ----

  /**
   * The front end has changed something. Tells the switch if the device runs there.
   *
   * @param waits whether the front end waits for the switch's answer
   * @return whether the switch has taken it
   */
  private boolean changed(boolean waits) {
    if (state == NicState.RUNNING) {
      return tell(waits);
    }
    FrontEndMessages speaks = messages;
    boolean startsByKick = speaks != null && !speaks.hasStatus();
    if (startsByKick && state != NicState.NO_SWITCH && anyRingIsComplete()) {
      start();
    }
    return true;
  }

  private boolean anyRingIsComplete() {
    return device.rings().stream().anyMatch(r -> device.isComplete(r) && device.isEnabled(r));
  }

  private boolean tell(boolean waits) {
    SwitchConnection to = serving;
    if (to == null) {
      return true; // it is told everything when it is there again
    }
    try {
      SwitchConnection.Told told =
          to.tell(device.desired(Lifecycle.RUNNING, to.capabilities()), waits, answer());
      history.told(told);
      return took(told.outcome());
    } catch (VhostException e) {
      log.warn("{}: the switch cannot take a change: {}", options.name(), e.getMessage());
      history.failed(e);
      return false;
    }
  }

  /** Whether the switch took a plan; a switch with which it is not clear is lost. */
  private boolean took(Outcome outcome) {
    VhostException failure = outcome.failure();
    if (failure != null) {
      history.failed(failure);
      if (serving != null && !serving.device().connected()) {
        switchWent(failure);
        return true; // it is told everything when it is there again
      }
      log.warn("{}: the switch refused: {}", options.name(), failure.getMessage());
    }
    return failure == null;
  }

  /** The device is to run: the switch is told the difference to what it holds. */
  private void start() {
    to(NicState.Event.STARTED);
    SwitchConnection at = serving;
    if (at == null) {
      to(NicState.Event.SWITCH_WENT);
      return;
    }
    try {
      SwitchConnection.Told told =
          at.tell(device.desired(Lifecycle.RUNNING, at.capabilities()), false, answer());
      history.started(told);
      VhostException failure = told.outcome().failure();
      if (failure != null) {
        switchWent(failure);
      }
    } catch (VhostException e) {
      switchWent(e);
    }
  }

  /** The device is to stop, if it runs: the rings' bases are those of the switch then. */
  private void stop() {
    if (!state.isStarted()) {
      return;
    }
    boolean asked = false;
    SwitchConnection at = serving;
    if (at != null) {
      try {
        SwitchConnection.Told told =
            at.tell(device.desired(Lifecycle.STOPPED, at.capabilities()), false, answer());
        history.told(told);
        asked = takeBases(told.plan(), told.outcome());
        if (told.outcome().failure() != null) {
          switchWent(told.outcome().failure());
        }
      } catch (VhostException e) {
        switchWent(e);
      }
    }
    if (!asked) {
      recoverBases();
    }
    to(NicState.Event.STOPPED);
    device.kicksAreGone();
  }

  private boolean takeBases(Plan plan, Outcome outcome) {
    boolean all = true;
    for (int i = 0; i < plan.steps().size(); i++) {
      if (plan.steps().get(i).step() instanceof Step.StopRing(int ring)) {
        Integer base = outcome.baseOf(i);
        if (base == null) {
          all = false;
        } else {
          device.base(ring, base);
        }
      }
    }
    return all;
  }

  /** The switch has gone without an answer: rings go on where guest memory says. */
  private void recoverBases() {
    for (int i = 0; i < device.rings().size(); i++) {
      Integer base = RingPositions.recovered(device, device.rings().get(i));
      if (base != null) {
        device.base(i, base);
      }
    }
  }

  // ---- the switch ----

  private void switchIsReady() {
    SwitchConnection at = serving;
    if (at == null) {
      return;
    }
    if (at.isBusy()) {
      Outcome outcome = at.advance();
      if (outcome != null) {
        presetupEnded(outcome);
      }
      return;
    }
    VhostException gone = at.look(answer());
    if (gone != null) {
      switchWent(gone);
    }
  }

  private void presetupEnded(Outcome outcome) {
    if (outcome.failure() != null) {
      switchWent(outcome.failure());
    } else {
      to(NicState.Event.PRESETUP_DONE);
    }
  }

  private void notFound(VhostException why) {
    search.pause();
    history.failed(why);
    log.debug("{}: no switch: {}", options.name(), why.getMessage());
  }

  private void switchWent(VhostException why) {
    SwitchConnection at = serving;
    if (at == null) {
      return;
    }
    log.warn("{}: the switch is lost: {}", options.name(), why.getMessage());
    history.failed(why);
    at.close();
    serving = null;
    search.restart();
    switch (state) {
      case NO_FRONT_END -> {}
      case PRESETTING, PRESET -> to(NicState.Event.PRESETUP_ENDED);
      default -> to(NicState.Event.SWITCH_WENT);
    }
  }

  private void switchCame(VhostDevice found) {
    search.restart();
    if (serving != null || closing) {
      found.close();
      return;
    }
    String missing = messages == null ? "" : Needs.missing(device, false, found.capabilities());
    if (!missing.isEmpty()) {
      found.close();
      notFound(
          new VhostException(
              "%s: the switch that came lacks what the front end uses: %s"
                  .formatted(options.name(), missing),
              Recovery.RETRY));
      return;
    }
    SwitchConnection now = new SwitchConnection(found);
    serving = now;
    log.info("{}: connected to the switch, {}", options.name(), found.capabilities());
    makeOffer();
    if (messages != null) {
      messages.offer(Offer.of(found.capabilities()));
    }
    if (state == NicState.NO_SWITCH) {
      replay(now);
    }
  }

  /** A switch came back, or another one came: it is told everything, and both sides are woken. */
  private void replay(SwitchConnection at) {
    recoverBases();
    try {
      SwitchConnection.Told told =
          at.tellAndCheck(
              device.desired(Lifecycle.RUNNING, at.capabilities()),
              Deadline.after(options.presetupWithin()));
      history.started(told);
      if (told.outcome().failure() != null) {
        switchWent(told.outcome().failure());
        return;
      }
    } catch (VhostException e) {
      switchWent(e);
      return;
    }
    to(NicState.Event.SWITCH_CAME);
    device.signalAll();
  }

  /** {@return what is going on, as it is shown} */
  NicStatus status() {
    return NicStatus.of(options, state, link.isConnected(), device, serving, history);
  }

  /** Ends the NIC. Its front end sees a hang-up. */
  @Override
  public void close() {
    closing = true;
    wakeUp.signal();
    boolean interrupted = false;
    Deadline deadline = Deadline.after(CLOSING);
    while (thread.isAlive() && !deadline.expired()) {
      try {
        thread.join(Duration.ofNanos(deadline.remainingNanos()));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    runPostedAfterTheEnd();
    wakeUp.close();
  }

  /** A device that was found meanwhile is closed, and whoever asked gets an answer. */
  private void runPostedAfterTheEnd() {
    runPosted();
  }
}
