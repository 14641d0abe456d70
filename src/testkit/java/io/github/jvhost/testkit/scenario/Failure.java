package io.github.jvhost.testkit.scenario;

/** A failure during a migration. Each migration still ends with one running guest. */
public enum Failure {
  /** No failure. */
  NONE,
  /** The destination's back end refuses presetup. */
  PRESETUP_REFUSED,
  /** Its presetup takes longer than the source waits. */
  PRESETUP_LATE,
  /** It hangs up during presetup. */
  PRESETUP_DISCONNECT,
  /** It hangs up in the stop window, and accepts a new connection. */
  BACK_END_LOST_IN_WINDOW,
  /** The source's back end hangs up as the migration begins, so the guest does not migrate. */
  SOURCE_BACK_END_LOST,
  /** The source cancels before it sends RAM. */
  CANCEL_IN_SETUP,
  /** The source cancels while it sends RAM. */
  CANCEL_IN_ITERATE,
  /** The source cancels after it has stopped its guest. */
  CANCEL_AFTER_STOP;

  /** {@return whether the source cancels} */
  boolean isCancel() {
    return this == CANCEL_IN_SETUP || this == CANCEL_IN_ITERATE || this == CANCEL_AFTER_STOP;
  }
}
