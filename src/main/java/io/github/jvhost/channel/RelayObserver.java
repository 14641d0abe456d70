package io.github.jvhost.channel;

/**
 * Is told what a {@link Relay} does, by its thread, which does nothing else meanwhile: put it away
 * and return. What it throws ends the relay. Times are of {@link System#nanoTime()}.
 */
public interface RelayObserver {
  /** A front end is there, and a connection to the back end was made for it. */
  void connected(int session, long nanos);

  /** A message was passed on. */
  void passed(RelayedMessage message);

  /**
   * A session is over, and all that was open for it is closed.
   *
   * @param why a sentence without a full stop; also when the back end could not be reached
   */
  void ended(int session, long nanos, String why);
}
