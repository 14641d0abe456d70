package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * One memory region for ADD_MEM_REG (with one descriptor) and REM_MEM_REG (with none).
 *
 * <pre>
 *    0                8                          40
 *   +----------------+--------------------------+
 *   | padding        | region                   |
 *   +----------------+--------------------------+
 * </pre>
 *
 * @param region the region to add or remove
 */
public record SingleRegion(MemoryRegionPayload region) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 40;

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, 0);
    region.encode(out);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.SINGLE_REGION;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the region; the padding before it is skipped
   * @throws ProtocolException if the size is another or the region is refused
   */
  static SingleRegion decode(ByteBuf in, int size) {
    Wire.exactly("single region", in, size, SIZE);
    in.skipBytes(Long.BYTES);
    return new SingleRegion(MemoryRegionPayload.decode(in));
  }
}
