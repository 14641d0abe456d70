package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the model's ring indexes right: from what a back end answers as it stops a ring, or, where
 * it is gone without a word, from what it left behind. Guarded by the lock of its {@link VhostNet}.
 *
 * <pre>
 *   stopped properly     the answer to GET_VRING_BASE
 *   gone, split ring     the used index in guest memory: what lies between is served again
 *   gone, packed ring    the in-flight region; without one nobody knows: its flags look the same
 *                        after every second lap
 * </pre>
 */
final class RingIndexes {
  private final VirtioNet model;
  private final GuestMemory memory;
  private final NetConfiguration configuration;

  /** Whether rings may have gone on since the model's indexes were right. */
  private boolean stale;

  RingIndexes(VirtioNet model, GuestMemory memory, NetConfiguration configuration) {
    this.model = model;
    this.memory = memory;
    this.configuration = configuration;
  }

  /** A back end serves the rings, or may. */
  void served() {
    stale = true;
  }

  /** The driver begins anew, or a saved state was loaded: the model is right. */
  void fresh() {
    stale = false;
  }

  /**
   * Where the rings stopped goes into the model; for those of which the back end did not say it,
   * what it left behind. A driver that reset the device begins anew, wherever its rings stopped.
   */
  void takeBases(Plan plan, Outcome outcome, BackEndProfile profile) {
    if (!model.packed()) {
      recover(null);
    }
    // Where a split ring's back end leaves requests in flight, the used index stands.
    boolean[] told = new boolean[2 * model.backEndQueuePairs()];
    for (int i = 0; i < plan.steps().size(); i++) {
      if (plan.steps().get(i).step() instanceof Step.StopRing(int ring) && isSetUp(ring)) {
        Integer base = outcome.baseOf(i);
        boolean again = profile.stopLeavesRequestsInFlight() && !model.packed();
        RingIndex index = base == null || again ? null : indexOf(base, profile);
        if (index != null && isWithin(index, model.queue(ring).size())) {
          model.setNextIndex(ring, index);
          told[ring] = true;
        }
      }
    }
    boolean all = true;
    for (int ring = 0; ring < told.length; ring++) {
      all &= told[ring] || !isSetUp(ring);
    }
    stale &= !all;
  }

  /** A back end may answer anything; a base outside of the ring counts as no answer. */
  private static boolean isWithin(RingIndex index, int size) {
    return !index.isPacked() || (index.avail() < size && index.used() < size);
  }

  private boolean isSetUp(int ring) {
    return ring < 2 * model.backEndQueuePairs() && model.queue(ring).isSetUp();
  }

  private RingIndex indexOf(int base, BackEndProfile profile) {
    RingIndex index = RingIndex.fromVhostBase(base, model.packed());
    if (!index.isPacked() || profile.packedBaseCarriesUsed()) {
      return index;
    }
    // This back end drains a ring before it answers, so both halves are the same.
    return RingIndex.packed(index.avail(), index.availWrap(), index.avail(), index.availWrap());
  }

  /**
   * Makes indexes that may be behind right again, where that can be done.
   *
   * @param inflight the region that the back end kept; null: none
   * @return whether all of them are right now
   */
  boolean recover(@Nullable InflightRegion inflight) {
    boolean known = true;
    for (int i = 0; stale && i < 2 * model.backEndQueuePairs(); i++) {
      QueueState queue = model.queue(i);
      if (!queue.isSetUp()) {
        continue;
      }
      RingIndex index =
          model.packed()
              ? packedIndex(i, queue, inflight)
              : RingIndex.split(configuration.usedIndex(model, queue));
      if (index == null) {
        known = false;
      } else {
        model.setNextIndex(i, index);
      }
    }
    stale &= !known;
    return known;
  }

  /** Null: nobody knows. */
  private @Nullable RingIndex packedIndex(
      int ring, QueueState queue, @Nullable InflightRegion inflight) {
    if (PackedFlags.isBlank(memory, queue)) {
      return RingIndex.start(true); // its driver has never made anything available
    }
    return inflight == null
        ? null
        : InflightPositions.of(inflight, ring, queue, memory).orElse(null);
  }

  /**
   * The same, where the rings cannot be served otherwise.
   *
   * @throws VhostException the driver has to reset the device: serving a ring from a stale index
   *     would write into memory that the guest uses for something else
   */
  void requireRecovered(@Nullable InflightRegion inflight) {
    if (!recover(inflight)) {
      throw new VhostException(
          "%s: the back end has gone, and where it was in the packed rings is not known (%s); the driver has to reset the device"
              .formatted(
                  model.name(),
                  inflight == null ? "no in-flight region" : "its in-flight region does not say"),
          Recovery.GIVE_UP);
    }
  }
}
