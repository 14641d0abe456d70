package io.github.jvhost.mediate;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.io.MemoryFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The files of guest memory. They are never mapped here: a front end could shorten a file, and an
 * access to a mapping beyond the end of its file ends the process (SIGBUS). A read of a file that
 * is too short is only short.
 */
final class MemoryFiles {
  private MemoryFiles() {}

  /**
   * {@return a little-endian 16-bit number of guest memory; null if it cannot be read}
   *
   * @param memory of the guest
   * @param guestAddress of the first byte
   */
  static @Nullable Integer readShort(GuestMap memory, long guestAddress) {
    MemoryRegion region = memory.regionOf(guestAddress, Short.BYTES);
    if (region == null) {
      return null;
    }
    byte[] bytes = new byte[Short.BYTES];
    long at = region.fileOffset() + (guestAddress - region.guestAddress());
    int count = MemoryFile.read(region.file(), at, bytes);
    return count < bytes.length
        ? null
        : ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getShort() & 0xffff;
  }
}
