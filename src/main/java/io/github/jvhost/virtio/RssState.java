package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.List;
import java.util.OptionalInt;

/**
 * Receive-side scaling, saved. This device model does not offer it; it is here so that a saved
 * device that has it can be read and written.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param enabled whether it is on
 * @param redirect whether packets are spread over the queues
 * @param populateHash whether the hash is told with each packet
 * @param hashTypes in use, 32 bits
 * @param supportedHashTypes what the host supports, 32 bits; only newer hosts save it
 * @param defaultQueue receive queue of packets without a hash, 16 bits
 * @param key {@value #KEY_BYTES} bytes
 * @param table receive queues by hash, 16 bits each; a power of two of them, at most 32768, or none
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
  /** The most entries whose number fits 16 bits. */
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
   * {@return whether an indirection table can have so many entries: none, or a power of two up to
   * {@link #MAX_TABLE}} Its index is the lower bits of the hash (virtio 1.2, 5.1.6.5.7.1). None are
   * there before the driver has given a table.
   *
   * @param entries how many
   */
  public static boolean isTableLength(int entries) {
    return entries == 0 || (entries > 0 && entries <= MAX_TABLE && Integer.bitCount(entries) == 1);
  }
}
