package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.GuestRam;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.DeviceStatus;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * What a NIC's switches are told, and when: the transitions of {@link NicState}. It knows the
 * device, the switch that serves it, the one that it moves to, and its standby. It is called on the
 * NIC's thread alone.
 */
final class NicService implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(NicService.class);

  /** A storm of changes is told as one: a front end sends ENABLE of all rings again and again. */
  private static final Duration SETTLING = Duration.ofMillis(100);

  private final NicOptions options;
  private final DescriptorLedger ledger;
  private final Surroundings around;
  private final FrontEndDevice device = new FrontEndDevice();
  private final NicHistory history;

  private NicState state = NicState.NO_FRONT_END;
  private SwitchSearch search;
  private @Nullable SwitchConnection serving;
  private @Nullable Spare standby;
  private @Nullable Move moving;
  private @Nullable Prediction prediction;

  /** What the switch is preset as, to preset the next one in the same way. */
  private @Nullable Prediction presetAs;

  private int generation;

  /** Whether somebody else presets, so that nothing is due before the thread is woken. */
  private boolean waitsForTurn;

  /** False if a switch has gone that had packed rings, and nothing says where they go on. */
  private boolean positionsKnown = true;

  /** Whether a ring got a kick since the device stopped, so that it may start again. */
  private boolean kickedSinceStop;

  /** What the switch is to announce once it can be told. */
  private byte @Nullable [] announcement;

  /** How often the device has changed while a front end was connected. */
  private long changes;

  /** When the newest change is to be told to spares and to the other mediator. */
  private @Nullable Deadline settled;

  private boolean shipped;
  private long shippedGeneration;
  private int frontEndSocket = -1;
  private boolean closed;

  /** What was negotiated with the switch that served last; null: there was none. */
  private @Nullable BackEndCapabilities negotiated;

  /** Whether something has changed that a mediator that takes over has to know. */
  private boolean unsaved;

  /** What the service needs of the mediator around it. */
  interface Surroundings {
    /**
     * Has the NIC's thread run something later; false if it has ended. Any thread may call this.
     */
    boolean post(Runnable task);

    /** Tells the other mediator something about this NIC. Does not wait. */
    void publish(Hint hint);

    /** Keeps what the device had when it started. Does not wait. */
    void remember(Hint hint);

    /** Saves the NIC as one whose switch may hold anything, because a move begins. */
    void saveAsHalfTold();

    /** Takes the turn to preset, if it is free; otherwise the thread is woken when it is. */
    boolean takeTurn();

    void giveTurnBack();
  }

  /**
   * A move that was asked for.
   *
   * @param spare the switch to move to
   * @param deadline for all of it
   * @param result completed with what it took, or with why it failed
   */
  private record Move(Spare spare, Deadline deadline, CompletableFuture<MoveResult> result) {}

  NicService(NicOptions options, DescriptorLedger ledger, Surroundings around) {
    this.options = options;
    this.history = new NicHistory(options.name());
    this.ledger = ledger;
    this.around = around;
    this.search = search(options.theSwitch(), this::switchCame, this::notFound);
  }

  private SwitchSearch search(
      BackEndAddress where, Consumer<VhostDevice> found, Consumer<VhostException> failed) {
    VhostDeviceOptions reached =
        VhostDeviceOptions.of(options.name(), where, options.dialect(), options.profile(), ledger)
            .withProtocolFeatures(Offer.TO_THE_SWITCH);
    return new SwitchSearch(
        reached,
        came -> {
          if (!around.post(() -> found.accept(came))) {
            came.close();
          }
        },
        failure -> {
          var _ = around.post(() -> failed.accept(failure));
        });
  }

  FrontEndDevice device() {
    return device;
  }

  NicHistory history() {
    return history;
  }

  /** {@return what the switch makes possible; null while there was none yet} */
  @Nullable Offer offer() {
    return negotiated == null ? null : Offer.of(negotiated);
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
    unsaved = true;
  }

  // ---- what a mediator that takes over has to know ----

  /** {@return whether the switch is perhaps told something because of this} */
  boolean tells(Action action) {
    return switch (action) {
      case Action.Answer _, Action.Noted _, Action.Announce _ -> false;
      case Action.Start _ -> true;
      case Action.Changed _, Action.ChangedAndAnswered _, Action.Reset _, Action.Stop _ ->
          state == NicState.RUNNING;
    };
  }

  /** {@return whether something has changed since this was called last} */
  boolean takeUnsaved() {
    boolean was = unsaved;
    unsaved = false;
    return was;
  }

  /** {@return the connection to the switch, or what was negotiated on the last one; null: none} */
  SavedNic.@Nullable Connection saved(NicSaver saver) {
    BackEndCapabilities can = negotiated;
    if (serving != null) {
      return serving.saved(saver);
    }
    return can == null
        ? null
        : new SavedNic.Connection(
            "", "", can.features(), can.protocolFeatures(), can.maxQueuePairs(), can.memorySlots());
  }

  /**
   * Takes up what an earlier mediator has saved. Its connection to the switch is used only if the
   * device ran there and nothing was being told: else what the switch holds is not known.
   *
   * @param socket of the front end
   * @param files gives the file of a name, which the service then owns
   */
  void restore(SavedNic saved, int socket, Function<String, OwnedDescriptor> files) {
    frontEndSocket = socket;
    state = NicState.CONNECTED; // if the rest fails, the front end has to go
    device.restore(saved.device(), files);
    boolean ran = saved.state().isStarted();
    state = ran ? NicState.NO_SWITCH : restoredState(saved.state());
    SavedNic.Connection at = saved.theSwitch();
    if (at != null) {
      resume(at, saved.state() == NicState.RUNNING && !saved.telling(), files);
    }
    if (state == NicState.NO_SWITCH) {
      recoverBases();
    }
    boolean drives = (device.status() & DeviceStatus.DRIVER_OK) != 0;
    if (ran && saved.telling() && device.status() == 0) {
      reset(); // the front end has reset the device, and the switch may not have been told
    } else if (!ran && saved.telling() && drives) {
      start();
    }
    log.info("{}: taken over as {}", options.name(), state);
  }

  private static NicState restoredState(NicState saved) {
    return saved == NicState.STOPPED ? NicState.STOPPED : NicState.CONNECTED;
  }

  private void resume(
      SavedNic.Connection saved, boolean goesOn, Function<String, OwnedDescriptor> files) {
    BackEndCapabilities can =
        new BackEndCapabilities(
            saved.features(),
            saved.protocolFeatures(),
            saved.queuePairs(),
            saved.memorySlots(),
            options.dialect(),
            options.profile());
    negotiated = can;
    if (!saved.path().isEmpty()) {
      BackEndAddress where = new BackEndAddress.Socket(Path.of(saved.path()));
      search = search(where, this::switchCame, this::notFound);
    }
    if (saved.socket().isEmpty()) {
      return;
    }
    OwnedDescriptor socket = files.apply(saved.socket());
    OwnedDescriptor handle = socket.duplicate();
    DeviceConfig running = device.desired(Lifecycle.RUNNING, can);
    Plan plan = Planner.plan(Shadow.nothingHeld(), running, can);
    Shadow held = Shadow.nothingHeld().after(plan, Outcome.ofAll(plan));
    SwitchConnection at =
        new SwitchConnection(VhostDevice.resume(search.options(), socket, can, held));
    at.isSavedAs(handle);
    if (goesOn) {
      serving = at;
      state = NicState.RUNNING;
    } else {
      at.close();
    }
  }

  /** {@return how loudly it is said what happens to this NIC} */
  Level level() {
    return options.name().equals(NicRehearsal.NAME) ? Level.DEBUG : Level.INFO;
  }

  private Deadline answer() {
    return Deadline.after(options.answersWithin());
  }

  // ---- the loop: what is polled, and what is done from time to time ----

  /** Adds the switches to a poll; {@link #serve} has to follow it. */
  void watch(Poller poller) {
    for (SwitchConnection at : connections()) {
      poller.add(at == null ? -1 : at.number(), at == null ? 0 : at.events());
    }
  }

  /** The most descriptors that {@link #watch} adds. */
  static final int WATCHED = 3;

  private @Nullable SwitchConnection[] connections() {
    return new SwitchConnection[] {
      serving,
      standby == null ? null : standby.connection(),
      moving == null ? null : moving.spare().connection()
    };
  }

  /**
   * Serves the switches after a poll.
   *
   * @param first the index of the first that {@link #watch} has added
   */
  void serve(Poller poller, int first) {
    boolean[] ready = new boolean[WATCHED];
    @Nullable SwitchConnection[] at = connections();
    for (int i = 0; i < WATCHED; i++) {
      SwitchConnection one = at[i];
      ready[i] = one != null && (poller.ready(first + i) != 0 || one.nanosLeft() <= 0);
    }
    if (ready[0] && at[0] == serving) {
      switchIsReady();
    }
    if (ready[1] && standby != null) {
      advance(standby);
    }
    if (ready[2] && moving != null) {
      advance(moving.spare());
    }
  }

  private boolean noPlanIsUnderWay() {
    for (SwitchConnection at : connections()) {
      if (at != null && at.isBusy()) {
        return false;
      }
    }
    return true;
  }

  /** Does what is due, before a poll: {@link #nanosToNextTask} says when that is again. */
  void doWhatIsDue() {
    if (noPlanIsUnderWay()) {
      device.closeReplaced();
    }
    if (serving == null) {
      search.attempt();
    }
    takeStandby();
    if (settled != null && settled.expired()) {
      settled = null;
      ship();
    }
    presetAsPredicted();
    if (standby != null) {
      prepare(standby);
    }
    Move move = moving;
    if (move != null) {
      prepare(move.spare());
      if (move.deadline().expired()) {
        moveFailed(move, "the other switch was not ready in time: " + move.spare().whyNotReady());
      } else if (canMove(move)) {
        carryOut(move);
      }
    }
  }

  /** {@return how long the thread may sleep at most, in nanoseconds} */
  long nanosToNextTask() {
    long nanos = Long.MAX_VALUE;
    if (serving == null) {
      nanos = search.nanosLeft();
    }
    for (SwitchConnection at : connections()) {
      nanos = Math.min(nanos, at == null ? Long.MAX_VALUE : at.nanosLeft());
    }
    if (settled != null) {
      nanos = Math.min(nanos, settled.remainingNanos());
    }
    if (prediction != null && mayPreset() && !waitsForTurn) {
      nanos = Math.min(nanos, prediction.nanosLeft());
    }
    if (standby != null && standby.connection() == null) {
      nanos = Math.min(nanos, standby.search().nanosLeft());
    }
    if (moving != null) {
      nanos = Math.min(nanos, moving.deadline().remainingNanos());
      if (moving.spare().connection() == null) {
        nanos = Math.min(nanos, moving.spare().search().nanosLeft());
      }
    }
    return nanos;
  }

  // ---- the front end ----

  /** A front end has connected. */
  void frontEndCame(int socket) {
    frontEndSocket = socket;
    to(NicState.Event.FRONT_END_CAME);
    history.frontEndCame();
  }

  /** The front end has gone. Only the end of a connection undoes what a switch was told early. */
  void frontEndWent() {
    frontEndSocket = -1;
    to(NicState.Event.FRONT_END_WENT);
    endPresetup();
    announcement = null;
    positionsKnown = true;
    if (moving != null) {
      moveFailed(moving, "the front end has gone");
    }
    if (standby != null) {
      standby.disconnect();
    }
    if (serving != null) {
      serving.close();
      serving = null;
      search.restart();
    }
    device.close();
    settled = null;
    if (shipped) {
      around.publish(Hint.gone(options.name(), ++shippedGeneration));
      shipped = false;
    }
  }

  /**
   * The front end has changed something. Tells the switch if the device runs there.
   *
   * @param waits whether the front end waits for the switch's answer
   * @param kick whether a ring got its kick. A ring that was stopped alone is started again by that
   * @param hasStatus whether the front end says by the status byte that the device runs
   * @return whether the switch has taken it
   */
  boolean changed(boolean waits, boolean kick, boolean hasStatus) {
    changes++;
    kickedSinceStop |= kick;
    if (state.isStarted()) {
      settled = Deadline.after(SETTLING);
    }
    if (state == NicState.RUNNING) {
      return tell(waits);
    }
    boolean runs = !hasStatus || (device.status() & DeviceStatus.DRIVER_OK) != 0;
    if (runs && kickedSinceStop && !state.isStarted() && anyRingIsComplete()) {
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
      SwitchConnection.Told told = to.tell(running(to), waits, answer());
      history.told(told);
      keepInflight(told);
      VhostException failure = told.outcome().failure();
      if (failure != null && !to.device().connected()) {
        switchWent(failure);
        return true; // likewise
      }
      return !history.failed(failure);
    } catch (VhostException e) {
      log.warn("{}: the switch cannot take a change: {}", options.name(), e.getMessage());
      history.failed(e);
      return false;
    }
  }

  private DeviceConfig running(SwitchConnection at) {
    return device.desired(Lifecycle.RUNNING, at.capabilities());
  }

  private void keepInflight(SwitchConnection.Told told) {
    keepInflight(told.outcome());
  }

  private void keepInflight(Outcome outcome) {
    if (outcome.inflight() != null) {
      device.inflight(outcome.inflight());
    }
  }

  /** The device is to run: the switch is told the difference to what it holds. */
  void start() {
    if (state.isStarted()) {
      return; // the front end says again what it has said
    }
    to(NicState.Event.STARTED);
    prediction = null;
    presetAs = null;
    positionsKnown = true; // the front end has said where its rings begin
    settled = Deadline.after(SETTLING);
    SwitchConnection at = serving;
    if (at == null) {
      noSwitch();
      return;
    }
    finishPresetup(at);
    String missing = missing(at.device());
    if (!missing.isEmpty()) {
      switchWent(lacks(missing));
      return;
    }
    try {
      SwitchConnection.Told told = at.tell(running(at), false, answer());
      history.started("start", at.options().address(), told);
      keepInflight(told);
      if (told.outcome().failure() != null) {
        switchWent(told.outcome().failure());
        return;
      }
      search.worked();
      announce();
    } catch (VhostException e) {
      switchWent(e);
    }
  }

  /** A connection tells one thing at a time: a presetup that is under way is waited for. */
  private void finishPresetup(SwitchConnection at) {
    Outcome outcome = at.finish();
    if (outcome != null) {
      keepInflight(outcome);
      history.presetupEnded(at.options().address(), outcome);
    }
    endTurn();
  }

  /** The front end has reset the device. */
  void reset() {
    stop();
    device.kicksAreGone();
  }

  /**
   * The front end stops a ring, which makes the device stop, if it runs. Most front ends stop the
   * others next. One that starts this ring again makes all of them go on.
   */
  void stop(int ring) {
    stop();
    device.kickIsGone(ring);
  }

  /** The device is to stop, if it runs: the rings' bases are those of the switch then. */
  private void stop() {
    if (!state.isStarted()) {
      return;
    }
    if (moving != null) {
      moveFailed(moving, "the front end has stopped the device");
    }
    stopRings();
    to(NicState.Event.STOPPED);
    settled = null;
    kickedSinceStop = false;
  }

  /**
   * {@return where a ring goes on that was stopped}
   *
   * @throws VhostException if that is not known
   */
  int baseOf(int ring) {
    if (!positionsKnown) {
      throw new VhostException(
          options.name()
              + ": where its packed rings go on is not known, because the switch has gone",
          Recovery.GIVE_UP);
    }
    Integer base = device.ring(ring).base();
    return base == null ? 0 : base;
  }

  /**
   * Stops the rings. A switch that does not answer is given up, and guest memory is asked.
   *
   * @return whether it is known where all of them go on
   */
  private boolean stopRings() {
    if (!stopAt(serving)) {
      recoverBases();
    }
    return positionsKnown;
  }

  /** Stops a device, and takes the bases of its rings; false if the switch has not answered all. */
  private boolean stopAt(@Nullable SwitchConnection at) {
    if (at == null) {
      return false;
    }
    try {
      SwitchConnection.Told told =
          at.tell(device.desired(Lifecycle.STOPPED, at.capabilities()), false, answer());
      history.told(told);
      boolean all = takeBases(told.plan(), told.outcome());
      if (told.outcome().failure() != null) {
        drop(at, told.outcome().failure());
      }
      return all;
    } catch (VhostException e) {
      drop(at, e);
      return false;
    }
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

  /**
   * The switch has gone without an answer: rings go on where guest memory says.
   *
   * @return whether that is known of all rings
   */
  private boolean recoverBases() {
    boolean all = true;
    for (int i = 0; i < device.rings().size(); i++) {
      FrontEndDevice.Ring ring = device.rings().get(i);
      Integer base = RingPositions.recovered(device, i);
      if (base != null) {
        device.base(i, base);
      } else if (ring.size() != null && ring.address() != null) {
        all = false;
      }
    }
    positionsKnown = all;
    return all;
  }

  /** Asks the switch to announce the guest, as soon as it can be told. */
  void announce(byte[] mac) {
    announcement = mac;
    announce();
  }

  private void announce() {
    SwitchConnection at = serving;
    byte[] mac = announcement;
    if (at == null || mac == null || at.isBusy() || state == NicState.NO_SWITCH) {
      return;
    }
    announcement = null;
    try {
      at.device().announce(mac);
    } catch (VhostException e) {
      switchWent(e);
    }
  }

  // ---- predictions ----

  /** Somebody says what the front end is going to describe. The newest word counts. */
  void predict(Hint hint) {
    if (state.isStarted() || state == NicState.STOPPED) {
      return; // the front end has described it already
    }
    switch (hint.what()) {
      case CONFIGURATION -> {
        Hint.Content content = hint.content();
        if (content != null) {
          prediction = new Prediction(content, "the peer, generation " + hint.generation());
        }
      }
      case CANCELLED, GONE -> {
        prediction = null;
        if (state == NicState.PRESET || state == NicState.PRESETTING) {
          presetAs = null;
          dropSwitch("the peer says that the guest does not come");
        }
      }
    }
  }

  /** The same, from an earlier start of this NIC; a word of the other mediator counts more. */
  void predictFromFile(Hint.Content content) {
    if (prediction == null && state == NicState.CONNECTED) {
      prediction = new Prediction(content, "its last start");
    }
  }

  private boolean mayPreset() {
    return serving != null
        && !serving.isBusy()
        && frontEndSocket >= 0
        && !device.memory().isDescribed()
        && (state == NicState.CONNECTED || state == NicState.PRESET);
  }

  private void presetAsPredicted() {
    Prediction next = prediction;
    SwitchConnection at = serving;
    if (next == null || at == null || !mayPreset() || next.nanosLeft() > 0) {
      return;
    }
    waitsForTurn = !takeTurn();
    if (waitsForTurn) {
      return; // this thread is woken when it is free
    }
    boolean begun = false;
    try {
      begun = preset(next, at);
    } catch (VhostException e) {
      log.warn("{}: no presetup as {} says: {}", options.name(), next.from(), e.getMessage());
      history.failed(e);
      prediction = null;
    } finally {
      if (!begun) {
        endTurn();
      }
    }
  }

  /** One connection is preset at a time, of this NIC and of all others. */
  private boolean takeTurn() {
    return noPlanIsUnderWay() && around.takeTurn();
  }

  private void endTurn() {
    if (noPlanIsUnderWay()) {
      around.giveTurnBack();
    }
  }

  private boolean preset(Prediction next, SwitchConnection at) {
    Hint.Content content = next.content();
    boolean connected = options.frontEnd() instanceof FrontEndAddress.Connect;
    GuestRam.Result result = next.find(options.ram(), frontEndSocket, connected, ledger);
    switch (result) {
      case GuestRam.NotFound(String why) -> {
        if (next.isHopeless()) {
          throw new VhostException(
              options.name() + ": guest memory is not found: " + why, Recovery.GIVE_UP);
        }
        return false;
      }
      case GuestRam.Found(List<OwnedDescriptor> files) ->
          device.putAside(device.memory().predict(content.regions(), files));
    }
    prediction = null;
    presetAs = next;
    at.preset(
        device.predicted(content, at.capabilities()),
        ++generation,
        Deadline.after(options.presetupWithin()));
    to(NicState.Event.PRESETUP_BEGUN);
    history.presetupBegun(next.from());
    switchIsReady(); // sends what there is room for
    return true;
  }

  private void presetupEnded(SwitchConnection at, Outcome outcome) {
    endTurn();
    keepInflight(outcome);
    history.presetupEnded(at.options().address(), outcome);
    if (outcome.failure() != null) {
      presetAs = null; // what has failed once is not tried again
      switchWent(outcome.failure());
    } else {
      log.info(
          "{}: preset, {} messages in {} us", options.name(), outcome.messages(), outcome.micros());
      to(NicState.Event.PRESETUP_DONE);
      search.worked();
      announce();
    }
  }

  private void endPresetup() {
    prediction = null;
    presetAs = null;
    around.giveTurnBack();
  }

  /** The switch that was preset has gone, or is left: the next one is preset in the same way. */
  private void presetIsLost() {
    to(NicState.Event.PRESETUP_ENDED);
    if (presetAs != null) {
      prediction = presetAs.again();
      presetAs = null;
    }
  }

  // ---- what is shipped ----

  /** The device has not changed for a while: the other mediator and the file are told. */
  private void ship() {
    if (state != NicState.RUNNING) {
      return;
    }
    try {
      Hint.Content content = device.hint();
      around.remember(Hint.configuration(options.name(), 0, content));
      if (device.logs()) {
        around.publish(Hint.configuration(options.name(), ++shippedGeneration, content));
        shipped = true;
      } else if (shipped) {
        around.publish(Hint.cancelled(options.name(), ++shippedGeneration));
        shipped = false;
      }
    } catch (VhostException e) {
      log.warn("{}: its configuration cannot be shipped: {}", options.name(), e.getMessage());
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
        presetupEnded(at, outcome);
      }
      return;
    }
    VhostException gone = at.look(answer());
    if (gone != null) {
      switchWent(gone);
    }
  }

  private void notFound(VhostException why) {
    search.pause();
    history.failed(why);
    log.debug("{}: no switch: {}", options.name(), why.getMessage());
  }

  private void dropSwitch(String why) {
    switchWent(new VhostException(options.name() + ": " + why, Recovery.RECONNECT));
  }

  private void switchWent(VhostException why) {
    SwitchConnection at = serving;
    if (at != null) {
      drop(at, why);
      noSwitch();
    }
  }

  /** Ends the connection to the switch that serves. */
  private void drop(SwitchConnection at, VhostException why) {
    log.warn("{}: the connection to the switch ends: {}", options.name(), why.getMessage());
    history.failed(why);
    at.close();
    serving = null;
    unsaved = true;
    search.pause();
    endTurn();
  }

  private void noSwitch() {
    switch (state) {
      case NO_FRONT_END -> {}
      case PRESETTING, PRESET -> presetIsLost();
      default -> to(NicState.Event.SWITCH_WENT);
    }
    takeStandby();
  }

  private void switchCame(VhostDevice found) {
    search.found();
    if (serving != null || closed) {
      found.close();
      return;
    }
    String missing = missing(found);
    if (!missing.isEmpty()) {
      found.close();
      notFound(lacks(missing));
      return;
    }
    SwitchConnection now = new SwitchConnection(found);
    serving = now;
    negotiated = found.capabilities();
    unsaved = true;
    log.atLevel(level())
        .log("{}: connected to the switch {}", options.name(), found.options().address());
    if (state == NicState.NO_SWITCH) {
      replay(now);
    } else if (state != NicState.NO_FRONT_END) {
      device.inflight(null); // nothing is in flight; this switch makes its own region
      to(NicState.Event.SWITCH_CAME);
    }
  }

  private String missing(VhostDevice found) {
    return frontEndSocket < 0
        ? ""
        : Needs.missing(device, device.inflight() != null, found.capabilities());
  }

  private VhostException lacks(String missing) {
    return new VhostException(
        "%s: the switch lacks what the front end uses: %s".formatted(options.name(), missing),
        Recovery.RETRY);
  }

  /**
   * A switch came back, or another one came: it is told everything, and both sides are woken.
   *
   * @return whether it serves now. It stays connected and is not used if nobody knows where packed
   *     rings go on
   */
  private boolean replay(SwitchConnection at) {
    if (!recoverBases()) {
      VhostException why =
          new VhostException(
              options.name()
                  + ": its packed rings are not served, because the switch that had them has gone"
                  + " and no in-flight region says where they go on; the guest has to reset its"
                  + " NIC",
              Recovery.RETRY);
      log.warn("{}", why.getMessage());
      history.failed(why);
      return false;
    }
    return run(at);
  }

  private boolean run(SwitchConnection at) {
    try {
      SwitchConnection.Told told =
          at.tellAndCheck(running(at), Deadline.after(options.presetupWithin()));
      history.started("replay", at.options().address(), told);
      keepInflight(told);
      if (told.outcome().failure() != null) {
        switchWent(told.outcome().failure());
        return false;
      }
    } catch (VhostException e) {
      switchWent(e);
      return false;
    }
    if (state == NicState.NO_SWITCH) {
      to(NicState.Event.SWITCH_CAME);
    }
    search.worked();
    device.signalAll();
    announce();
    return true;
  }

  // ---- spares: a standby, and the target of a move ----

  /**
   * From now on another switch is kept preset, and serves at once when the first goes away.
   *
   * @param where it is; null: no more
   * @throws VhostException (GIVE_UP) if this switch serves it already
   */
  void standby(@Nullable BackEndAddress where) {
    if (standby != null) {
      standby.close();
      standby = null;
    }
    if (where != null) {
      requireAnother(where);
      standby = spare(where, () -> standby);
    }
  }

  /** A switch that takes one connection at a time would have to choose. */
  private void requireAnother(BackEndAddress where) {
    if (where instanceof BackEndAddress.Socket(Path to)
        && search.options().address() instanceof BackEndAddress.Socket(Path from)
        && to.toAbsolutePath().normalize().equals(from.toAbsolutePath().normalize())) {
      throw new VhostException(
          "%s: the switch at %s is the one that serves it".formatted(options.name(), to),
          Recovery.GIVE_UP);
    }
  }

  /**
   * The device moves to another switch while its guest runs.
   *
   * @param where it is
   * @param within how long it may take until the other switch is ready
   * @return completed with what it took, or exceptionally with a {@link VhostException}: then the
   *     device runs where it was
   * @throws VhostException (GIVE_UP) if this switch serves it already
   */
  CompletableFuture<MoveResult> move(BackEndAddress where, Duration within) {
    requireAnother(where);
    var result = new CompletableFuture<MoveResult>();
    if (moving != null) {
      result.completeExceptionally(
          new VhostException(options.name() + ": a move is under way already", Recovery.RETRY));
      return result;
    }
    moving =
        new Move(
            spare(where, () -> moving == null ? null : moving.spare()),
            Deadline.after(within),
            result);
    return result;
  }

  private Spare spare(BackEndAddress where, Supplier<@Nullable Spare> current) {
    Spare[] made = new Spare[1];
    made[0] =
        new Spare(
            search(
                where,
                found -> {
                  if (current.get() == made[0] && !closed) {
                    spareCame(made[0], found);
                  } else {
                    found.close();
                  }
                },
                failure -> spareNotFound(made[0], failure)));
    return made[0];
  }

  private void spareNotFound(Spare spare, VhostException why) {
    spare.notFound(why);
    Move move = moving;
    if (move != null && move.spare() == spare && why.recovery() == Recovery.GIVE_UP) {
      moveFailed(move, String.valueOf(why.getMessage()));
    } else {
      history.failed(why);
    }
  }

  private void spareCame(Spare spare, VhostDevice found) {
    spare.connected(new SwitchConnection(found));
    String missing = missing(found);
    if (!missing.isEmpty()) {
      lost(spare, lacks(missing));
    }
  }

  /** Connects a spare, and tells it early what the device has. */
  private void prepare(Spare spare) {
    SwitchConnection at = spare.connection();
    if (at == null) {
      spare.search().attempt();
      return;
    }
    if (state != NicState.RUNNING || at.isBusy() || spare.isPreset(changes) || settled != null) {
      return;
    }
    String missing = missing(at.device()); // the device has changed since the spare came
    if (!missing.isEmpty()) {
      lost(spare, lacks(missing));
      return;
    }
    if (!takeTurn()) {
      return;
    }
    try {
      spare.tells(changes);
      at.preset(running(at), ++generation, Deadline.after(options.presetupWithin()));
      advance(spare);
    } catch (VhostException e) {
      lost(spare, e);
    }
  }

  private void advance(Spare spare) {
    VhostException gone = spare.advance(answer());
    if (gone != null) {
      lost(spare, gone);
    }
    endTurn();
  }

  private void lost(Spare spare, VhostException why) {
    spare.lost(why);
    endTurn();
    history.failed(why);
    Move move = moving;
    if (move != null && move.spare() == spare) {
      moveFailed(move, "the other switch is of no use: " + why.getMessage());
    }
  }

  private boolean canMove(Move move) {
    SwitchConnection to = move.spare().connection();
    return to != null
        && !to.isBusy()
        && (state != NicState.RUNNING || move.spare().isPreset(changes));
  }

  private void moveFailed(Move move, String why) {
    move.spare().close();
    moving = null;
    endTurn();
    log.warn("{}: the move has failed: {}", options.name(), why);
    history.moved(move.spare().search().options().address(), System.nanoTime(), why);
    move.result()
        .completeExceptionally(
            new VhostException(
                "%s: it was not moved, and stays where it was: %s".formatted(options.name(), why),
                Recovery.RETRY));
  }

  /**
   * Stops the device at the old switch, starts it at the new one, and wakes both sides. If the new
   * one fails, the device goes on at the old one, which is still connected.
   */
  private void carryOut(Move move) {
    long begin = System.nanoTime();
    SwitchConnection target = move.spare().connection();
    if (target == null) {
      return;
    }
    String missing = missing(target.device());
    if (!missing.isEmpty()) {
      moveFailed(move, "the other switch lacks what the front end uses: " + missing);
      return;
    }
    String failure = null;
    if (state.isStarted()) {
      around.saveAsHalfTold();
      unsaved = true;
      failure = startAt(target, move);
    }
    if (failure == null) {
      moved(move, begin);
    } else {
      moveFailed(move, failure); // closes the new one first: two must not serve the same rings
      goOn();
    }
  }

  private @Nullable String startAt(SwitchConnection target, Move move) {
    if (!stopRings()) {
      return "where its packed rings go on is not known";
    }
    InflightRegion made = move.spare().takeInflight();
    if (made != null) {
      device.inflight(made);
    }
    try {
      SwitchConnection.Told told = target.tellAndCheck(running(target), answer());
      VhostException failure = told.outcome().failure();
      keepInflight(told);
      if (failure == null) {
        history.started("move", target.options().address(), told);
        return null;
      }
      return "the other switch did not start it: " + failure.getMessage();
    } catch (VhostException e) {
      return "the other switch did not start it: " + e.getMessage();
    }
  }

  /** A move has failed after the rings were stopped. The new switch may have used some buffers. */
  private void goOn() {
    SwitchConnection old = serving;
    if (old == null) {
      noSwitch();
      return;
    }
    boolean asAnswered = device.isPacked() && RingPositions.nothingWasUsed(device);
    if (positionsKnown && !asAnswered) {
      recoverBases();
    }
    if (positionsKnown) {
      run(old);
    } else {
      switchWent(
          new VhostException(
              options.name() + ": where its packed rings go on is not known after a failed move",
              Recovery.RECONNECT));
    }
  }

  private void moved(Move move, long begin) {
    SwitchConnection old = serving;
    SwitchConnection now = move.spare().take();
    if (now == null) {
      return;
    }
    moving = null;
    servesFromNowOn(now);
    switch (state) {
      case PRESETTING, PRESET -> presetIsLost();
      case NO_SWITCH -> to(NicState.Event.SWITCH_CAME);
      default -> {}
    }
    if (state.isStarted()) {
      device.signalAll();
    } else {
      device.inflight(null); // nothing is in flight; this switch makes its own region
    }
    long micros = (System.nanoTime() - begin) / 1_000;
    history.moved(now.options().address(), begin, null);
    if (old != null) {
      old.close();
    }
    move.spare().close();
    endTurn();
    announce();
    log.info("{}: moved to {} in {} us", options.name(), now.options().address(), micros);
    move.result().complete(new MoveResult(now.options().address().toString(), micros));
  }

  private void servesFromNowOn(SwitchConnection now) {
    serving = now;
    negotiated = now.capabilities();
    unsaved = true;
    search.restart();
    search = search(now.options().address(), this::switchCame, this::notFound);
  }

  /** The switch is gone: its standby serves, which holds everything but where the rings are. */
  private void takeStandby() {
    Spare other = standby;
    SwitchConnection now = other == null ? null : other.connection();
    if (state != NicState.NO_SWITCH || serving != null || other == null || now == null) {
      return;
    }
    Outcome presetup = now.finish();
    if (presetup != null) {
      keepInflight(presetup);
    }
    InflightRegion made = other.takeInflight();
    if (made != null && device.inflight() == null) {
      device.inflight(made);
    } else if (made != null) {
      made.file().close();
    }
    var _ = other.take();
    serving = now;
    String missing = missing(now.device());
    if (!missing.isEmpty()) {
      switchWent(lacks(missing));
    } else if (replay(now)) {
      servesFromNowOn(now);
      other.close();
      standby = null;
      log.info("{}: the standby {} serves it now", options.name(), now.options().address());
      return;
    }
    other.notFound(null);
  }

  /** {@return what is going on, as it is shown} */
  NicStatus status() {
    NicStatus.Standby kept =
        standby == null
            ? null
            : new NicStatus.Standby(
                standby.search().options().address().toString(), standby.isPreset(changes));
    return NicStatus.of(options, state, device, serving, kept, history);
  }

  NicState state() {
    return state;
  }

  @Override
  public void close() {
    closed = true;
    search.close();
    endPresetup();
    if (moving != null) {
      moveFailed(moving, "the mediator ends");
    }
    if (standby != null) {
      standby.close();
    }
    if (serving != null) {
      serving.close();
      serving = null;
    }
    device.close();
  }
}
