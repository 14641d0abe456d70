package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;

/**
 * The one connection between source and destination: a stream each way. One thread may send while
 * another one receives, and any may close it: then a call that sends or receives fails.
 *
 * <p>An interrupt of the thread must not end a call, nor close the link. After COMMIT the source
 * could not find out any more where the guest runs. The thread stays interrupted. (A blocking
 * {@link java.nio.channels.SocketChannel} is closed by an interrupt; {@link SocketLink} is not.)
 */
public interface MigrationLink extends AutoCloseable {
  /**
   * Sends all that remains in the buffer, however long that takes while the other side takes some
   * of it again and again. If this fails, what was not given to the other side remains in it: a
   * COMMIT of which a byte remains was not given.
   *
   * @param bytes sent from its position on, which moves
   * @param deadline for the other side to take nothing of them. What it takes before the buffer is
   *     empty {@linkplain Deadline#restart restarts} it: a slow link does not mean that the peer is
   *     gone
   * @throws io.github.jvhost.VhostException if the other side is gone, or took nothing for so long
   */
  void send(ByteBuffer bytes, Deadline deadline);

  /**
   * Fills the buffer, however long that takes while the other side is at work.
   *
   * @param into filled from its position to its limit
   * @param deadline for the other side's silence. What arrives before the buffer is full
   *     {@linkplain Deadline#restart restarts} it: a part of these bytes, and what else the
   *     embedder carries in the same stream, or beside it, such as pages of guest memory. Otherwise
   *     a round of memory that takes long would look like a peer that is gone
   * @throws io.github.jvhost.VhostException if the other side is gone, or was silent for so long
   */
  void receive(ByteBuffer into, Deadline deadline);

  /**
   * Waits until there is something to receive, or the other side is gone.
   *
   * @param deadline if it has expired, this does not wait
   * @return false when nothing came in time
   */
  boolean awaitReadable(Deadline deadline);

  /** Closes both ways; idempotent. */
  @Override
  void close();
}
