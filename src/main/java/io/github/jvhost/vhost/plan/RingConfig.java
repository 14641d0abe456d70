package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.Nullable;

/**
 * What the back end is to hold of one vring. A part that is null is not sent. For example, an early
 * configuration leaves out what could start the ring.
 *
 * @param size number of entries, 1 to 32768; null: not sent
 * @param addresses where the ring is; null: not sent
 * @param base where the back end goes on, in the encoding of SET_VRING_BASE (split: the next
 *     available index; packed: both indexes with their wrap counters); null: not known, or where
 *     the ring stopped in the same plan
 * @param usedIndex what the used index in guest memory says, 0 to 65535; null: not known, or a
 *     packed ring. Only compared, never sent
 * @param kick guest to back end; null: not sent
 * @param call back end to guest; null: not sent
 * @param err back end to front end, when it gives the ring up; null: not sent
 * @param enabled whether the queue is in use
 * @param logUsed whether writes to the used ring are to be logged
 */
public record RingConfig(
    @Nullable Integer size,
    @Nullable RingAddresses addresses,
    @Nullable Integer base,
    @Nullable Integer usedIndex,
    @Nullable RingEventfd kick,
    @Nullable RingEventfd call,
    @Nullable RingEventfd err,
    boolean enabled,
    boolean logUsed) {

  /** The most entries of a ring (virtio 1.2, 2.7). */
  static final int MAX_SIZE = 32768;

  /** A ring that the driver has not set up: nothing of it is sent. */
  public static final RingConfig NOT_SET_UP =
      new RingConfig(null, null, null, null, null, null, null, false, false);

  /**
   * A ring without an err eventfd.
   *
   * @param size number of entries, 1 to 32768; null: not sent
   * @param addresses where the ring is; null: not sent
   * @param base where the back end goes on; null: not known, or where the ring stopped in the same
   *     plan
   * @param usedIndex what the used index in guest memory says, 0 to 65535; null: not known, or a
   *     packed ring
   * @param kick guest to back end; null: not sent
   * @param call back end to guest; null: not sent
   * @param enabled whether the queue is in use
   * @param logUsed whether writes to the used ring are to be logged
   */
  public RingConfig(
      @Nullable Integer size,
      @Nullable RingAddresses addresses,
      @Nullable Integer base,
      @Nullable Integer usedIndex,
      @Nullable RingEventfd kick,
      @Nullable RingEventfd call,
      boolean enabled,
      boolean logUsed) {
    this(size, addresses, base, usedIndex, kick, call, null, enabled, logUsed);
  }

  /** {@return whether the driver has set this ring up, so that there is something to send} */
  public boolean isSetUp() {
    return size != null;
  }
}
