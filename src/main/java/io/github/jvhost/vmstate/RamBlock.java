package io.github.jvhost.vmstate;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * One block of guest memory, as the first record of memory lists it.
 *
 * @param name of the block, 1 to 255 bytes: "pc.ram", "0000:00:03.0/virtio-net-pci.rom"
 * @param length bytes in use
 * @param pageSize size of its pages in bytes, where postcopy has to know
 * @param guestAddress where it lies in the guest, with x-ignore-shared
 * @param mapped where its pages are in the file, with mapped-ram
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
   * The places of a block's pages in a file (mapped-ram), in bytes from the start of the stream.
   *
   * @param pageSize of the pages that the bitmap counts, in bytes
   * @param bitmap one bit for each page that is there
   * @param pages the pages
   */
  public record Mapped(long pageSize, long bitmap, long pages) {}
}
