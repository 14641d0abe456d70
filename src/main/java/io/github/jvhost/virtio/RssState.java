package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.List;
import java.util.OptionalInt;

/**
 * The saved state of receive-side scaling. This device model does not offer it. The record exists
 * so that a saved device with it can be read and written.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param enabled whether it is on
 * @param redirect whether packets are distributed over the queues
 * @param populateHash whether the hash is added to each packet
 * @param hashTypes hash types in use, 32 bits
 * @param supportedHashTypes hash types that the host supports, 32 bits; only newer hosts save them
 * @param defaultQueue receive queue of packets without a hash, 16 bits
 * @param key {@value #KEY_BYTES} bytes
 * @param table receive queues by hash, 16 bits each; their number is 0 or a power of two, at most
 *     32768
 */
public record RssState(
    boolean enabled,
    boolean redirect,
    boolean populateHash,
    int hashTypes,
    OptionalInt supportedHashTypes,
    int defaultQueue,
    Bytes key,
    List<Integer> table) {
  /** The most entries. Their number has to fit into 16 bits. */
  public static final int MAX_TABLE = 1 << 15;

  /** Bytes of the key. */
  public static final int KEY_BYTES = 40;

  /** Checks the ranges. */
  public RssState {
    table = List.copyOf(table);
    Ranges.check16(defaultQueue, "default queue");
    if (!isTableLength(table.size())) {
      throw new IllegalArgumentException(
          "indirection table of %d entries: it is a power of two, or none".formatted(table.size()));
    }
    for (int queue : table) {
      Ranges.check16(queue, "queue in the indirection table");
    }
    if (key.size() != KEY_BYTES) {
      throw new IllegalArgumentException("RSS key of " + key.size() + " bytes");
    }
  }

  /**
   * {@return whether an indirection table can have that many entries: none, or a power of two up to
   * {@link #MAX_TABLE}} The index into the table is the lower bits of the hash (virtio 1.2,
   * 5.1.6.5.7.1). There are no entries before the driver has set a table.
   *
   * @param entries how many
   */
  public static boolean isTableLength(int entries) {
    return entries == 0 || (entries > 0 && entries <= MAX_TABLE && Integer.bitCount(entries) == 1);
  }
}
