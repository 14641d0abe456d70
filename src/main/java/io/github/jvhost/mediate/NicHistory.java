package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PlannedStep;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/** What has happened to a NIC, as far as it is shown. One thread at a time. */
final class NicHistory {
  private final String nic;
  private long messages;
  private long messagesToTheSwitch;
  private @Nullable String presetFrom;
  private NicStatus.@Nullable Presetup presetup;
  private NicStatus.@Nullable Start lastStart;
  private @Nullable String lastFailure;

  NicHistory(String nic) {
    this.nic = nic;
  }

  void frontEndCame() {
    messages = 0;
    presetup = null;
    lastStart = null;
    lastFailure = null;
  }

  void message() {
    messages++;
  }

  void told(SwitchConnection.Told told) {
    messagesToTheSwitch += told.outcome().messages();
  }

  /**
   * A switch was told that the device runs.
   *
   * @param what was done: start, replay, move
   * @param where the switch is
   */
  void started(String what, BackEndAddress where, SwitchConnection.Told told) {
    told(told);
    Outcome outcome = told.outcome();
    record(what, where, outcome);
    lastStart =
        new NicStatus.Start(
            told.plan().steps().stream().map(PlannedStep::describe).toList(),
            outcome.messages(),
            outcome.micros());
  }

  void presetupBegun(String from) {
    presetFrom = from;
    presetup = null;
  }

  void presetupEnded(BackEndAddress where, Outcome outcome) {
    record("presetup", where, outcome);
    messagesToTheSwitch += outcome.messages();
    presetup =
        new NicStatus.Presetup(
            presetFrom == null ? "" : presetFrom,
            outcome.complete(),
            outcome.messages(),
            outcome.micros());
  }

  /**
   * A device was moved, or not.
   *
   * @param where the other switch is
   * @param begin of the stop at the old switch, of {@link System#nanoTime}
   * @param failure null: it was moved
   */
  void moved(BackEndAddress where, long begin, @Nullable String failure) {
    if (isRecorded()) {
      record("move", where, 0, begin, System.nanoTime(), failure);
    }
  }

  private boolean isRecorded() {
    return FlightRecorder.isInitialized() && !nic.equals(NicRehearsal.NAME);
  }

  private void record(String what, BackEndAddress where, Outcome outcome) {
    if (isRecorded()) {
      VhostException failure = outcome.failure();
      record(
          what,
          where,
          outcome.messages(),
          outcome.startNanos(),
          outcome.endNanos(),
          failure == null ? null : failure.getMessage());
    }
  }

  private void record(
      String what,
      BackEndAddress where,
      int count,
      long start,
      long end,
      @Nullable String failure) {
    var event = new MediationEvent();
    event.device = nic;
    event.what = what;
    event.backEnd = where.toString();
    event.from = what.equals("presetup") ? presetFrom : null;
    event.messages = count;
    event.startNanos = start;
    event.endNanos = end;
    event.failure = failure;
    event.commit();
  }

  /**
   * Keeps why something did not work.
   *
   * @return whether there is a failure
   */
  boolean failed(@Nullable VhostException failure) {
    if (failure != null) {
      lastFailure = failure.getMessage();
    }
    return failure != null;
  }

  long messages() {
    return messages;
  }

  long messagesToTheSwitch() {
    return messagesToTheSwitch;
  }

  NicStatus.@Nullable Presetup presetup() {
    return presetup;
  }

  NicStatus.@Nullable Start lastStart() {
    return lastStart;
  }

  @Nullable String lastFailure() {
    return lastFailure;
  }
}
