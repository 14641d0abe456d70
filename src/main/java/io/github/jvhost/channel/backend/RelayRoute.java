package io.github.jvhost.channel.backend;

/**
 * Which way a relayed message went.
 *
 * <pre>
 *   front end                            back end
 *             ---- TO_BACK_END ---->
 *             &lt;--- TO_FRONT_END ----                 the main socket
 *             &lt;------ ASKED --------
 *             ----- ANSWERED ------>                 the back end's own channel
 * </pre>
 */
public enum RelayRoute {
  /** A request of the front end. */
  TO_BACK_END,
  /** A reply of the back end. */
  TO_FRONT_END,
  /** A request of the back end, on its own channel. */
  ASKED,
  /** The front end's answer on that channel. */
  ANSWERED
}
