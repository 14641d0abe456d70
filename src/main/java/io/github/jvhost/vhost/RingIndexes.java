package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RefusedBase;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the model's ring indexes right: from what a back end answers as it stops a ring, or, where
 * it is gone without a word, from what it left behind. Guarded by the lock of its {@link VhostNet}.
 *
 * <pre>
 *   stopped properly     the answer to GET_VRING_BASE, where the ring itself does not rule it out
 *   gone, split ring     the used index in guest memory: what lies between is served again
 *   gone, packed ring    the in-flight region; without one nobody knows: its flags look the same
 *                        after every second lap
 * </pre>
 *
 * <p>Where a back end keeps an in-flight region of split rings, the used index is where it goes on,
 * and the region says which requests from there on are done already; so the next back end has to
 * take that up ({@link NetNeeds}).
 *
 * <p>How much the indexes in the model are worth is in two flags:
 *
 * <pre>
 *   event                              stale   unproven   the indexes in the model
 *   fresh: the driver begins anew      no      no         right: the start of each ring
 *   restored: a saved state            no      yes        as somebody else says; guest memory may
 *                                                         rule them out once it is complete
 *   served: a back end may serve       yes     no         behind, by what it has done since
 *   all rings have said where          no      as it was  right
 *   one ring has not, or recover       yes     as it was  behind; a split ring's is read again
 *     did not find it
 *   recover found all                  no      as it was  right
 * </pre>
 *
 * <p>{@code recover} reads only where they are stale, guest memory is held against them only where
 * they are unproven.
 */
final class RingIndexes {
  private static final Logger log = LoggerFactory.getLogger(RingIndexes.class);

  private final VirtioNet model;
  private final GuestMemory memory;
  private final NetConfiguration configuration;
  private final RingEvidence evidence;
  private final KeptInflight inflight;

  /** Within one taking of answers: the rings of which it is known by now where they stopped. */
  private final BitSet told = new BitSet();

  /** Whether rings may have gone on since the model's indexes were right. */
  private boolean stale;

  /** Whether the indexes are those of a saved state, at which no back end was started yet. */
  private boolean unproven;

  /** Whether this device only stands for one whose guest memory has not arrived yet. */
  private boolean rehearses;

  /** Answers that did not count since {@link #takeRefused}. */
  private final List<RefusedBase> refused = new ArrayList<>();

  RingIndexes(
      VirtioNet model, GuestMemory memory, NetConfiguration configuration, KeptInflight inflight) {
    this.model = model;
    this.memory = memory;
    this.configuration = configuration;
    this.evidence = new RingEvidence(model, memory, configuration);
    this.inflight = inflight;
  }

  /** A back end serves the rings, or may. */
  void served() {
    stale = true;
    unproven = false;
  }

  /** From here on the device stands for another one, and guest memory says nothing of it. */
  void rehearse() {
    rehearses = true;
  }

  private boolean mayBeRuledOut() {
    return unproven && !rehearses && model.live();
  }

  /** The driver begins anew: the model is right. */
  void fresh() {
    stale = false;
    unproven = false;
  }

  /** A saved state was loaded, which says where the rings are; guest memory may come later. */
  void restored() {
    stale = false;
    unproven = true;
  }

  /**
   * Looks whether guest memory, complete by now, rules a saved state out. Makes no object.
   *
   * @return the first ring of which it does; -1: there is none
   */
  int ruledOut() {
    for (int ring = 0; mayBeRuledOut() && ring < 2 * model.backEndQueuePairs(); ring++) {
      if (model.isSetUp(ring)
          && !evidence.driverIsWrong(ring)
          && evidence.rulesOut(ring, model.ringBase(ring))) {
        return ring;
      }
    }
    return -1;
  }

  /** The same for a driver that has made more available than a ring has entries. */
  int overrun() {
    for (int ring = 0; mayBeRuledOut() && ring < 2 * model.backEndQueuePairs(); ring++) {
      if (model.isSetUp(ring) && evidence.driverIsWrong(ring)) {
        return ring;
      }
    }
    return -1;
  }

  /** Why the saved state of a ring cannot be right, for messages. */
  String whyRuledOut(int ring) {
    return "ring %d cannot go on at %s: %s"
        .formatted(ring, evidence.place(model.ringBase(ring)), evidence.describe(ring));
  }

  /** What a driver did wrong in a ring, for messages. */
  String whyOverrun(int ring) {
    return "ring %d has more available than it has entries: %s"
        .formatted(ring, evidence.describe(ring));
  }

  /** Answers that did not count since this was asked last. */
  List<RefusedBase> takeRefused() {
    List<RefusedBase> all = List.copyOf(refused);
    refused.clear();
    return all;
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

  private void beginTaking() {
    told.clear();
    if (!model.packed()) {
      recover(); // where a back end leaves requests in flight, the used index stands
    }
  }

  private void take(int ring, int answered, BackEndProfile profile) {
    boolean again = profile.stopLeavesRequestsInFlight() && !model.packed();
    if (!isSetUp(ring) || again) {
      return;
    }
    int base = withUsedHalf(answered, profile);
    if (counts(ring, base)) {
      model.setRingBase(ring, base);
      told.set(ring);
    } else {
      Integer instead = refuse(ring, answered);
      if (instead == null) {
        stale = true;
      } else {
        model.setRingBase(ring, instead);
        told.set(ring);
      }
    }
  }

  /**
   * Where a ring goes on that has just stopped and is taken up again by the same plan.
   *
   * @param answered to GET_VRING_BASE
   * @return null: nobody knows
   */
  @Nullable Integer goesOnAt(int ring, int answered, BackEndProfile profile) {
    if (!isSetUp(ring)) {
      return answered;
    }
    int base = withUsedHalf(answered, profile);
    return counts(ring, base) ? Integer.valueOf(base) : refuse(ring, answered);
  }

  /** Whether neither guest memory nor the in-flight region contradicts it. */
  private boolean counts(int ring, int base) {
    if (evidence.rulesOut(ring, base)) {
      return false;
    }
    RingIndex noted = model.packed() ? noted(ring) : null;
    // A region in which nothing was noted yet looks like the start of a ring.
    return noted == null
        || noted.equals(RingIndex.start(true))
        || noted.toVhostBase() >>> 16 == base >>> 16;
  }

  /** Where the in-flight region says that a packed ring is; null: nowhere that can be. */
  private @Nullable RingIndex noted(int ring) {
    InflightRegion region = inflight.region();
    if (region == null) {
      return null;
    }
    RingIndex noted = InflightPositions.of(region, ring, model.queue(ring), memory).orElse(null);
    return noted == null || evidence.rulesOut(ring, noted.toVhostBase()) ? null : noted;
  }

  /** An answer does not count: what does instead; null: nobody knows. */
  private @Nullable Integer refuse(int ring, int answered) {
    Integer instead;
    if (model.packed()) {
      RingIndex index = packedIndex(ring, model.queue(ring), inflight.region());
      instead = index == null ? null : index.toVhostBase();
    } else {
      instead = configuration.usedIndex(model, ring); // it was readable, or nothing was ruled out
    }
    var one =
        new RefusedBase(
            model.name(),
            ring,
            answered,
            instead == null ? OptionalInt.empty() : OptionalInt.of(instead),
            evidence.describe(ring));
    log.warn("{}", one.describe());
    refused.add(one);
    return instead;
  }

  /** A back end that drains a packed ring before it answers may leave the used half out. */
  private int withUsedHalf(int answered, BackEndProfile profile) {
    return model.packed() && !profile.packedBaseCarriesUsed()
        ? (answered & 0xffff) | (answered << 16)
        : answered;
  }

  private void endTaking() {
    boolean all = true;
    for (int ring = 0; ring < 2 * model.backEndQueuePairs(); ring++) {
      all &= told.get(ring) || !isSetUp(ring);
    }
    stale &= !all;
  }

  private boolean isSetUp(int ring) {
    return ring < 2 * model.backEndQueuePairs() && model.isSetUp(ring);
  }

  /**
   * Makes indexes that may be behind right again, where that can be done.
   *
   * @return whether all of them are right now
   */
  boolean recover() {
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
      RingIndex index = packedIndex(i, model.queue(i), inflight.region());
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
      int ring, QueueState queue, @Nullable InflightRegion region) {
    if (!memory.table().contains(queue.desc(), 16L * queue.size())) {
      return null; // its driver has moved it out of memory
    }
    if (PackedFlags.isBlank(memory, queue.desc())) {
      return RingIndex.start(true); // its driver has never made anything available
    }
    return region == null ? null : InflightPositions.of(region, ring, queue, memory).orElse(null);
  }

  /**
   * The same, where the rings cannot be served otherwise.
   *
   * @throws VhostException the driver has to reset the device: serving a ring from a stale index
   *     would write into memory that the guest uses for something else
   */
  void requireRecovered() {
    if (!recover()) {
      throw new VhostException(
          "%s: the back end has gone, or said what cannot be, and where it was in the packed rings is not known (%s); the driver has to reset the device"
              .formatted(
                  model.name(),
                  inflight.region() == null
                      ? "no in-flight region"
                      : "its in-flight region does not say"),
          Recovery.GIVE_UP);
    }
  }
}
