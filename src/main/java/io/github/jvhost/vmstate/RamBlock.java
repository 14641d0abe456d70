package io.github.jvhost.vmstate;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * One block of guest memory, as in the list of the first memory record.
 *
 * @param name of the block, 1 to 255 bytes: "pc.ram", "0000:00:03.0/virtio-net-pci.rom"
 * @param length bytes in use
 * @param pageSize size of its pages in bytes, if postcopy needs it
 * @param guestAddress its guest address, with x-ignore-shared
 * @param mapped the positions of its pages in the file, with mapped-ram
 */
public record RamBlock(
    String name,
    long length,
    OptionalLong pageSize,
    OptionalLong guestAddress,
    Optional<Mapped> mapped) {
  /** Checks the ranges. */
  public RamBlock {
    if (name.isEmpty() || name.length() > SectionHeader.MAX_IDSTR || length < 0) {
      throw new IllegalArgumentException("block '" + name + "' of " + length + " bytes");
    }
  }

  /**
   * The positions of a block's pages in a file (mapped-ram), in bytes from the start of the stream.
   *
   * @param pageSize size of the pages of the bitmap, in bytes
   * @param bitmap position of the bitmap, with one bit for each page that is present
   * @param pages position of the pages
   */
  public record Mapped(long pageSize, long bitmap, long pages) {}
}
