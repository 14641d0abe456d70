package io.github.jvhost.testkit.trace;

/**
 * The phase of a session, as its messages show it.
 *
 * <pre>
 *   NEGOTIATE --&gt; CONFIGURE --&gt; START --&gt; RUN --&gt; STOP
 *                     ^           ^        |       |
 *                     |           +--------+       |   one ring more is set up
 *                     +----------------------------+   it is started again
 * </pre>
 */
public enum SessionPhase {
  /** The front end asks for features and limits. */
  NEGOTIATE,
  /** The front end sends features, memory and rings; nothing runs yet. */
  CONFIGURE,
  /** From the first kick descriptor, or DRIVER_OK, until every ring that was set up runs. */
  START,
  /** Every ring that was set up has its kick, is enabled, and the status is DRIVER_OK. */
  RUN,
  /** Rings are disabled or stopped with GET_VRING_BASE, or the device is reset. */
  STOP
}
