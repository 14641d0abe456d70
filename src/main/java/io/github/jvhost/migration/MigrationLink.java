package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;

/**
 * The one connection between source and destination: a stream each way. One thread may send while
 * another one receives, and any may close it: whoever sends or receives then fails.
 */
public interface MigrationLink extends AutoCloseable {
  /**
   * Sends all that remains in the buffer. Where this fails, what was not given to the other side
   * remains in it: a COMMIT of which a byte remains was not given.
   *
   * @param bytes sent from its position on, which moves
   * @param deadline for the other side to take them
   * @throws io.github.jvhost.VhostException the other side is gone, or did not take it in time
   */
  void send(ByteBuffer bytes, Deadline deadline);

  /**
   * Fills the buffer.
   *
   * @param into filled from its position to its limit
   * @param deadline for all of it to come
   * @throws io.github.jvhost.VhostException the other side is gone, or it did not come in time
   */
  void receive(ByteBuffer into, Deadline deadline);

  /**
   * Waits until there is something to receive, or the other side is gone.
   *
   * @param deadline an expired one only looks
   * @return false when nothing came in time
   */
  boolean awaitReadable(Deadline deadline);

  /** Closes both ways; idempotent. */
  @Override
  void close();
}
