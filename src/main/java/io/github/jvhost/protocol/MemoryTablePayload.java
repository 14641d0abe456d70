package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/**
 * All of guest memory. It replaces the table that was sent before. One descriptor per region is
 * attached to it, in the same order.
 *
 * <pre>
 *    0        4         8           8 + 32 n
 *   +--------+---------+-----------+
 *   | n      | padding | n regions |      only n regions, not always eight
 *   +--------+---------+-----------+
 * </pre>
 *
 * @param regions 0 to 8 regions; the list is copied
 */
public record MemoryTablePayload(List<MemoryRegionPayload> regions) implements Payload {
  /** The number of regions that every back end accepts. Each has one descriptor. */
  public static final int MAX_REGIONS = 8;

  private static final int FIXED = 8;

  /** Bytes of a table without regions, all of them 0. */
  static final int EMPTY_SIZE = FIXED;

  /** Checks the count. */
  public MemoryTablePayload {
    regions = List.copyOf(regions);
    requireCount(regions.size());
  }

  private static void requireCount(int count) {
    if (count < 0 || count > MAX_REGIONS) {
      throw new IllegalArgumentException(
          Integer.toUnsignedString(count) + " memory regions, at most " + MAX_REGIONS);
    }
  }

  @Override
  public int size() {
    return FIXED + regions.size() * MemoryRegionPayload.SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putInt(out, regions.size());
    Wire.putInt(out, 0);
    for (MemoryRegionPayload region : regions) {
      region.encode(out);
    }
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.MEMORY_TABLE;
  }

  /**
   * Reads a table.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; 8, and 32 more for each region
   * @return the table; it may be empty
   * @throws ProtocolException if there are more than eight regions, the size is not that of their
   *     number, or a region is refused
   */
  static MemoryTablePayload decode(ByteBuf in, int size) {
    Wire.between("memory table", in, size, FIXED, FIXED + MAX_REGIONS * MemoryRegionPayload.SIZE);
    int count = Wire.getInt(in);
    in.skipBytes(Integer.BYTES);
    // The count decides how much is allocated and read, so it is checked first.
    Wire.parsed(
        "memory table",
        () -> {
          requireCount(count);
          return count;
        });
    Wire.exactly(
        "memory table of " + count + " regions",
        in,
        size - FIXED,
        count * MemoryRegionPayload.SIZE);
    List<MemoryRegionPayload> regions = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      regions.add(MemoryRegionPayload.decode(in));
    }
    return new MemoryTablePayload(regions);
  }
}
