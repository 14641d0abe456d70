package io.github.jvhost.virtio;

/**
 * One ring of a device, as its driver set it up.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param size entries, 1 to 1024 (a power of two for a split ring)
 * @param desc guest-physical address of the descriptor table (packed: of the descriptor ring); 0 =
 *     never set up
 * @param avail guest-physical address of the available ring (packed: the driver event suppression)
 * @param used guest-physical address of the used ring (packed: the device event suppression)
 * @param ready whether the driver enabled it
 * @param next the next index of the device
 */
public record QueueState(
    int size, long desc, long avail, long used, boolean ready, RingIndex next) {
  /** {@return whether the driver has set the ring up} Otherwise the ring is sent to no back end. */
  public boolean isSetUp() {
    return desc != 0;
  }
}
