package io.github.jvhost;

/** What a caller can soundly do after a failure. Every {@link VhostException} carries one. */
public enum Recovery {
  /** The attempt changed nothing. The caller may make the same call again. */
  RETRY,

  /**
   * The connection to the back end is no longer usable, or the state of the back end is unknown.
   * Close the connection, connect again and send the whole configuration.
   */
  RECONNECT,

  /**
   * Neither a second attempt nor a new connection helps. The caller has to change the configuration
   * or the input.
   */
  GIVE_UP
}
