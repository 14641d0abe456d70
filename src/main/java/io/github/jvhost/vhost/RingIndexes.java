package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import java.util.BitSet;
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

  /** The rings of which a back end that stopped has said where. */
  private final BitSet told = new BitSet();

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
    beginTaking();
    for (int i = 0; i < plan.steps().size(); i++) {
      if (plan.steps().get(i).step() instanceof Step.StopRing(int ring)) {
        Integer base = outcome.baseOf(i);
        if (base != null) {
          take(ring, base, profile);
        }
      }
    }
    endTaking();
  }

  /** The same for what was made ahead of time, and without making an object of split rings. */
  void takeBases(PreparedExecution stopped, BackEndProfile profile) {
    beginTaking();
    for (int i = 0; i < stopped.answers(); i++) {
      take(stopped.ringOfAnswer(i), stopped.baseOfAnswer(i), profile);
    }
    endTaking();
  }

  private void beginTaking() {
    told.clear();
    if (!model.packed()) {
      recover(null); // where a back end leaves requests in flight, the used index stands
    }
  }

  private void take(int ring, int answered, BackEndProfile profile) {
    boolean packed = model.packed();
    boolean again = profile.stopLeavesRequestsInFlight() && !packed;
    // A back end that drains a packed ring before it answers may leave the used half out.
    boolean drained = packed && !profile.packedBaseCarriesUsed();
    int base = drained ? (answered & 0xffff) | (answered << 16) : answered;
    if (isSetUp(ring) && !again && isWithin(base, packed, model.ringSize(ring))) {
      model.setRingBase(ring, base);
      told.set(ring);
    }
  }

  private void endTaking() {
    boolean all = true;
    for (int ring = 0; ring < 2 * model.backEndQueuePairs(); ring++) {
      all &= told.get(ring) || !isSetUp(ring);
    }
    stale &= !all;
  }

  /** A back end may answer anything; a base outside of the ring counts as no answer. */
  private static boolean isWithin(int base, boolean packed, int size) {
    return !packed || ((base & 0x7fff) < size && (base >>> 16 & 0x7fff) < size);
  }

  private boolean isSetUp(int ring) {
    return ring < 2 * model.backEndQueuePairs() && model.isSetUp(ring);
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
      if (!model.isSetUp(i)) {
        continue;
      }
      if (!model.packed()) {
        if (configuration.hasUsedIndex(model, i)) { // or its driver has moved it out of memory
          model.setRingBase(i, configuration.usedIndex(model, i));
        }
        continue;
      }
      RingIndex index = packedIndex(i, model.queue(i), inflight);
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
    if (!memory.table().contains(queue.desc(), 16L * queue.size())) {
      return null; // its driver has moved it out of memory
    }
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
