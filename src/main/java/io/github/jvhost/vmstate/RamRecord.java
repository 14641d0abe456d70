package io.github.jvhost.vmstate;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * One record of guest memory.
 *
 * <pre>
 *   | offset in the block, bits 12-63 | flags, bits 0-11 |  n u8 | block n |  data ...
 *   +---------------------------------+------------------+-----------------+
 *                                       CONTINUE: the block is that of the page before, its name is not sent
 * </pre>
 */
public sealed interface RamRecord {
  /** The size of a page in the stream, in bytes. */
  int PAGE_SIZE = 4096;

  /**
   * The list of all blocks, MEM_SIZE.
   *
   * @param blocks in the order of the stream; the list is copied
   */
  record Blocks(List<RamBlock> blocks) implements RamRecord {
    /** Copies the list. */
    public Blocks {
      blocks = List.copyOf(blocks);
    }
  }

  /**
   * The place of a page.
   *
   * @param block name of the block
   * @param offset in the block, a multiple of {@value RamRecord#PAGE_SIZE}
   * @param named whether the block's name is sent; necessary if the page before is in another block
   */
  record Place(String block, long offset, boolean named) {
    /** Checks the range. */
    public Place {
      if (offset < 0 || offset % PAGE_SIZE != 0) {
        throw new IllegalArgumentException("a page at " + offset + " of " + block);
      }
    }
  }

  /**
   * A page of one byte value, ZERO.
   *
   * @param place place of the page
   * @param value of each byte, 8 bits, 0 in practice
   */
  record Fill(Place place, int value) implements RamRecord {}

  /**
   * A page as it is, PAGE.
   *
   * @param place place of the page
   * @param bytes {@value RamRecord#PAGE_SIZE} bytes; read-only, and valid only until the sink
   *     returns
   */
  record Page(Place place, ByteBuffer bytes) implements RamRecord {}

  /**
   * The changes of a page since it was sent, XBZRLE.
   *
   * @param place place of the page
   * @param encoding 8 bits, 1 in practice
   * @param delta at most {@value RamRecord#PAGE_SIZE} bytes; read-only, and valid only until the
   *     sink returns
   */
  record Delta(Place place, int encoding, ByteBuffer delta) implements RamRecord {}

  /**
   * A compressed page, COMPRESS_PAGE: zlib. QEMU wrote it until 9.0.
   *
   * @param place place of the page
   * @param compressed at most twice {@value RamRecord#PAGE_SIZE} bytes; read-only, and valid only
   *     until the sink returns
   */
  record Compressed(Place place, ByteBuffer compressed) implements RamRecord {}

  /** All pages on other connections must arrive before the following records, MULTIFD_FLUSH. */
  record Flush() implements RamRecord {}

  /** The end of this part, EOS. */
  record End() implements RamRecord {}
}
