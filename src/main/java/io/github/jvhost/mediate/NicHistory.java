package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.PlannedStep;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What has happened to a NIC, as far as it is shown. One thread at a time. */
final class NicHistory {
  private long messages;
  private long messagesToTheSwitch;
  private @Nullable Window lastWindow;
  private @Nullable String lastFailure;

  /**
   * What the switch was told when the device started last.
   *
   * @param steps each with its reason
   * @param messages that the switch got
   * @param micros from the first byte to the last answer that was awaited
   */
  record Window(List<String> steps, int messages, long micros) {}

  void frontEndCame() {
    messages = 0;
  }

  void message() {
    messages++;
  }

  void told(SwitchConnection.Told told) {
    messagesToTheSwitch += told.outcome().messages();
  }

  void started(SwitchConnection.Told told) {
    told(told);
    lastWindow =
        new Window(
            told.plan().steps().stream().map(PlannedStep::describe).toList(),
            told.outcome().messages(),
            told.outcome().micros());
  }

  void failed(VhostException failure) {
    lastFailure = failure.getMessage();
  }

  long messages() {
    return messages;
  }

  long messagesToTheSwitch() {
    return messagesToTheSwitch;
  }

  @Nullable Window lastWindow() {
    return lastWindow;
  }

  @Nullable String lastFailure() {
    return lastFailure;
  }
}
