package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/**
 * The sizes of a device's shared memory regions.
 *
 * <pre>
 *    0        4         8                  2056
 *   +--------+---------+------------------+
 *   | n      | padding | 256 x u64 size   |     n: how many are not 0
 *   +--------+---------+------------------+
 * </pre>
 *
 * @param sizes 256 sizes in bytes, by region id; 0 where there is no region; the list is copied
 */
public record ShmemConfig(List<Long> sizes) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 2056;

  /** Entries, used or not. */
  public static final int ENTRIES = 256;

  /** Checks the number of entries. */
  public ShmemConfig {
    sizes = List.copyOf(sizes);
    if (sizes.size() != ENTRIES) {
      throw new IllegalArgumentException(sizes.size() + " shared memory sizes, expected 256");
    }
  }

  private int used() {
    int used = 0;
    for (long bytes : sizes) {
      if (bytes != 0) {
        used++;
      }
    }
    return used;
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putInt(out, used());
    Wire.putInt(out, 0);
    for (long bytes : sizes) {
      Wire.putLong(out, bytes);
    }
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.SHMEM_CONFIG;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the sizes of all 256 entries
   * @throws ProtocolException if the size is another or the count does not match the sizes
   */
  static ShmemConfig decode(ByteBuf in, int size) {
    Wire.exactly("shared memory configuration", in, size, SIZE);
    int count = Wire.getInt(in);
    in.skipBytes(Integer.BYTES);
    List<Long> sizes = new ArrayList<>(ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
      sizes.add(Wire.getLong(in));
    }
    ShmemConfig config = new ShmemConfig(sizes);
    if (count != config.used()) {
      throw new ProtocolException(
          "decoding shared memory configuration: "
              + Integer.toUnsignedString(count)
              + " regions announced, "
              + config.used()
              + " have a size");
    }
    return config;
  }
}
