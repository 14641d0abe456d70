package io.github.jvhost.channel.backend;

/**
 * Is told what a {@link Relay} does, by its thread, which does nothing else meanwhile: put it away
 * and return. What it throws ends the relay. Times are of {@link System#nanoTime()}.
 */
public interface RelayObserver {
  /**
   * A front end is there, and a connection to the back end was made for it.
   *
   * @param session counts front ends, from 1
   * @param nanos when that was
   */
  void connected(int session, long nanos);

  /**
   * A message was passed on.
   *
   * @param message with a copy of its bytes, to be kept as long as wanted
   */
  void passed(RelayedMessage message);

  /**
   * A session is over, and all that was open for it is closed.
   *
   * @param session as counted for {@link #connected}; it may end without having been connected
   * @param nanos when that was
   * @param why a sentence without a full stop; also when the back end could not be reached, or when
   *     its own channel went by unwatched for want of descriptors
   */
  void ended(int session, long nanos, String why);
}
