package io.github.jvhost.testkit.trace;

/**
 * What a session is about at a moment, seen from its messages.
 *
 * <pre>
 *   NEGOTIATE --&gt; CONFIGURE --&gt; START --&gt; RUN --&gt; STOP
 *                     ^           ^        |       |
 *                     |           +--------+       |   one ring more is set up
 *                     +----------------------------+   it is started again
 * </pre>
 */
public enum SessionPhase {
  /** Features and limits are asked for. */
  NEGOTIATE,
  /** Features, memory, rings are told; nothing runs yet. */
  CONFIGURE,
  /** From the first kick descriptor, or DRIVER_OK, until every ring that was set up runs. */
  START,
  /** Every ring that was set up has its kick, is enabled, and the status is DRIVER_OK. */
  RUN,
  /** Rings are disabled, read back, or the device is reset. */
  STOP
}
