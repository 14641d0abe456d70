package io.github.jvhost;

/** What a caller can soundly do after a failure. Every {@link VhostException} carries one. */
public enum Recovery {
  /** Nothing was changed by the attempt: the same call may be made again. */
  RETRY,

  /**
   * The connection to the back end is of no use any more, or what the back end knows is unknown.
   * Close it, connect again and tell everything from the beginning.
   */
  RECONNECT,

  /**
   * Neither a second attempt nor a new connection helps: the configuration or the input has to
   * change.
   */
  GIVE_UP
}
