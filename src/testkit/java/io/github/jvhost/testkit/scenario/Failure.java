package io.github.jvhost.testkit.scenario;

/** What goes wrong. Each ends with one running guest. */
public enum Failure {
  /** Nothing. */
  NONE,
  /** The destination's back end refuses presetup. */
  PRESETUP_REFUSED,
  /** It takes longer than anybody waits. */
  PRESETUP_LATE,
  /** It hangs up in the middle. */
  PRESETUP_DISCONNECT,
  /** It hangs up in the stop window, and takes a new connection. */
  BACK_END_LOST_IN_WINDOW,
  /** The source's own back end hangs up as the migration begins: it does not come to that. */
  SOURCE_BACK_END_LOST,
  /** The source cancels before RAM goes over. */
  CANCEL_IN_SETUP,
  /** The source cancels while RAM goes over. */
  CANCEL_IN_ITERATE,
  /** The source cancels with its guest stopped. */
  CANCEL_AFTER_STOP;

  /** {@return whether the source is to cancel} */
  boolean isCancel() {
    return this == CANCEL_IN_SETUP || this == CANCEL_IN_ITERATE || this == CANCEL_AFTER_STOP;
  }
}
