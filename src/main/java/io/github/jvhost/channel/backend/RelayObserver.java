package io.github.jvhost.channel.backend;

/**
 * Is called with what a {@link Relay} does. The relay's thread calls it and does nothing else
 * meanwhile, so it should return soon. An exception ends the relay. Times are of {@link
 * System#nanoTime()}.
 */
public interface RelayObserver {
  /**
   * A front end has connected, and a connection to the back end was made for it.
   *
   * @param session counts front ends, from 1
   * @param nanos when that was
   */
  void connected(int session, long nanos);

  /**
   * A message was passed on.
   *
   * @param message with its own copy of the bytes
   */
  void passed(RelayedMessage message);

  /**
   * A session is over, and all that was open for it is closed.
   *
   * @param session as for {@link #connected}; a session may end before it was connected
   * @param nanos when that was
   * @param why a sentence without a full stop. It also says that the back end could not be reached,
   *     or that its own channel was not watched because no more descriptors could be opened
   */
  void ended(int session, long nanos, String why);
}
