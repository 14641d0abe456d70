package io.github.jvhost.migration;

/**
 * The rehearsal of the stop window, which was made while the guest still ran.
 *
 * @param windows that were rehearsed; 0: there was none, or no time for it
 * @param nanos how long that took, on a thread of its own
 */
public record RehearsalReport(int windows, long nanos) {
  /** There was none. */
  static final RehearsalReport NONE = new RehearsalReport(0, 0);
}
