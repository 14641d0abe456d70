package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PlannedStep;
import org.jspecify.annotations.Nullable;

/** What has happened to a NIC, as far as it is shown. One thread at a time. */
final class NicHistory {
  private long messages;
  private long messagesToTheSwitch;
  private @Nullable String presetFrom;
  private NicStatus.@Nullable Presetup presetup;
  private NicStatus.@Nullable Start lastStart;
  private @Nullable String lastFailure;

  void frontEndCame() {
    messages = 0;
    presetup = null;
    lastStart = null;
  }

  void message() {
    messages++;
  }

  void told(SwitchConnection.Told told) {
    messagesToTheSwitch += told.outcome().messages();
  }

  void started(SwitchConnection.Told told) {
    told(told);
    lastStart =
        new NicStatus.Start(
            told.plan().steps().stream().map(PlannedStep::describe).toList(),
            told.outcome().messages(),
            told.outcome().micros());
  }

  void presetupBegun(String from) {
    presetFrom = from;
    presetup = null;
  }

  void presetupEnded(Outcome outcome) {
    messagesToTheSwitch += outcome.messages();
    presetup =
        new NicStatus.Presetup(
            presetFrom == null ? "" : presetFrom,
            outcome.complete(),
            outcome.messages(),
            outcome.micros());
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
