package io.github.jvhost.migration;

import java.nio.ByteBuffer;

/**
 * Where {@link RamSource} puts pages.
 *
 * <p>Called on the thread that drives the migration, one page after the other.
 */
@FunctionalInterface
public interface PageSink {
  /** The most bytes of one call. */
  int MAX_BYTES = 1 << 20;

  /**
   * Sends pages that follow each other in guest memory.
   *
   * @param guestAddress of the first byte, a multiple of 4096
   * @param bytes a multiple of 4096, at most {@link #MAX_BYTES}; read before this returns
   */
  void pages(long guestAddress, ByteBuffer bytes);
}
