package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.GuestRam;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.Outcome;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Predictions of a device that its front end has not described yet, and the presetup of the switch
 * that will serve it. One thread at a time.
 */
final class EarlySetup {
  private static final Logger log = LoggerFactory.getLogger(EarlySetup.class);

  private final NicShared nic;
  private final ServingSwitch serving;
  private final Predicate<SwitchConnection> turn;

  /** What was not told yet. */
  private @Nullable Prediction prediction;

  /** What the switch is preset as, to preset the next one in the same way. */
  private @Nullable Prediction presetAs;

  /** Whether somebody else presets, so that nothing is due before the thread is woken. */
  private boolean waitsForTurn;

  private int frontEndSocket = -1;

  /**
   * Has no prediction yet.
   *
   * @param turn takes the turn to preset, if it is free
   */
  EarlySetup(NicShared nic, ServingSwitch serving, Predicate<SwitchConnection> turn) {
    this.nic = nic;
    this.serving = serving;
    this.turn = turn;
  }

  /** A front end is there; its process is where guest memory is looked for. */
  void frontEndCame(int socket) {
    frontEndSocket = socket;
  }

  void frontEndWent() {
    frontEndSocket = -1;
    prediction = null;
    presetAs = null;
  }

  /** Somebody says what the front end is going to describe. The newest word counts. */
  void predict(Hint hint) {
    if (serving.state().isStarted() || serving.state() == NicState.STOPPED) {
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
        presetAs = null;
        if (serving.state() == NicState.PRESET || serving.state() == NicState.PRESETTING) {
          serving.lost(
              new VhostException(
                  nic.name() + ": the peer says that the guest does not come", Recovery.RECONNECT));
        }
      }
    }
  }

  /** The same, from an earlier start of this NIC; a word of the other mediator counts more. */
  void predictFromFile(Hint.Content content) {
    if (prediction == null && serving.state() == NicState.CONNECTED) {
      prediction = new Prediction(content, "its last start");
    }
  }

  private boolean mayPreset() {
    SwitchConnection at = serving.connection();
    return at != null
        && !at.isBusy()
        && !nic.device().memory().isDescribed()
        && (serving.state() == NicState.CONNECTED || serving.state() == NicState.PRESET);
  }

  /** {@return how long until something is due, in nanoseconds} */
  long nanosLeft() {
    return prediction != null && mayPreset() && !waitsForTurn
        ? prediction.nanosLeft()
        : Long.MAX_VALUE;
  }

  /** Begins a presetup, if there is a prediction and nothing stands against it. */
  void doWhatIsDue() {
    if (presetAs != null && serving.state() == NicState.CONNECTED) {
      // The switch that was preset has gone, or was left: the next one is preset in the same way.
      prediction = prediction == null ? presetAs.again() : prediction;
      presetAs = null;
    }
    Prediction next = prediction;
    SwitchConnection at = serving.connection();
    if (next == null || at == null || !mayPreset() || next.nanosLeft() > 0) {
      return;
    }
    waitsForTurn = !turn.test(at);
    if (waitsForTurn) {
      return; // this thread is woken when it is free
    }
    try {
      begin(next, at);
    } catch (VhostException e) {
      log.warn("{}: no presetup as {} says: {}", nic.name(), next.from(), e.getMessage());
      nic.history().failed(e);
      prediction = null;
    }
  }

  private void begin(Prediction next, SwitchConnection at) {
    Hint.Content content = next.content();
    boolean connected = nic.options().frontEnd() instanceof FrontEndAddress.Connect;
    GuestRam.Result result =
        next.find(nic.options().ram(), frontEndSocket, connected, nic.ledger());
    switch (result) {
      case GuestRam.NotFound(String why) -> {
        if (next.isHopeless()) {
          throw new VhostException(
              nic.name() + ": guest memory is not found: " + why, Recovery.GIVE_UP);
        }
        return;
      }
      case GuestRam.Found(List<OwnedDescriptor> files) ->
          nic.device().putAside(nic.device().memory().predict(content.regions(), files));
    }
    prediction = null;
    at.preset(nic.device().predicted(content, at.capabilities()), nic.presetup());
    presetAs = next;
    serving.to(NicState.Event.PRESETUP_BEGUN);
    nic.history().presetupBegun(next.from());
    advance(at); // sends what there is room for
  }

  /** Goes on with the presetup that is under way. */
  void advance(SwitchConnection at) {
    Outcome outcome = at.advance();
    if (outcome != null && ended(at, outcome)) {
      log.info(
          "{}: preset, {} messages in {} us", nic.name(), outcome.messages(), outcome.micros());
      serving.to(NicState.Event.PRESETUP_DONE);
    }
  }

  private boolean ended(SwitchConnection at, Outcome outcome) {
    nic.device().keepInflight(outcome.inflight());
    nic.history().presetupEnded(at.options().address(), outcome);
    VhostException failure = outcome.failure();
    if (failure == null) {
      serving.worked();
      return true;
    }
    presetAs = null; // what has failed once is not tried again
    serving.lost(failure);
    return false;
  }

  /**
   * The device starts. A connection tells one thing at a time, so a presetup that is under way is
   * waited for: begun anew, it would not be done earlier.
   */
  void finish() {
    prediction = null;
    presetAs = null;
    SwitchConnection at = serving.connection();
    Outcome outcome = at == null ? null : at.finish(nic.presetup());
    if (at != null && outcome != null) {
      ended(at, outcome);
    }
  }
}
