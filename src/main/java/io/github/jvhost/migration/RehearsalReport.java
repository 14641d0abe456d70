package io.github.jvhost.migration;

/**
 * What the rehearsal of the stop window cost, beside the migration and before the guest stopped.
 *
 * @param windows that were walked; 0: there was none, or no time for it
 * @param nanos how long that took, on a thread of its own
 */
public record RehearsalReport(int windows, long nanos) {
  /** There was none. */
  static final RehearsalReport NONE = new RehearsalReport(0, 0);
}
