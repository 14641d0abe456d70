package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.InflightPositions;
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
 * Keeps the model's ring indexes right. They come from the answer with which a back end stops a
 * ring, or, if it has gone without an answer, from what it left in memory. The lock of its {@link
 * VhostNet} guards it.
 *
 * <pre>
 *   stopped properly     the answer to GET_VRING_BASE, if the ring itself does not rule it out
 *   gone, split ring     the used index in guest memory: requests after it are served again
 *   gone, packed ring    the in-flight region; without one it is not known: the flags of a packed
 *                        ring look the same after every second lap
 * </pre>
 *
 * <p>If a back end keeps an in-flight region of split rings, a ring goes on at its used index, and
 * the region says which requests after it are done already. So the next back end has to use the
 * region too ({@link NetNeeds}).
 *
 * <p>Two flags say how far the indexes in the model can be trusted:
 *
 * <pre>
 *   mayBeBehind   a back end may have served requests since the model got its indexes. Before the
 *                 rings are served again, recover reads them anew
 *   fromState     the indexes came with a saved state, and no back end was started with them yet.
 *                 At a start, when guest memory is complete, ruledOut compares them with it
 *
 *   what happens                                            mayBeBehind   fromState
 *   driverHasReset  the driver begins again                 no            no
 *   restored        a saved state replaces the model's      no            yes
 *   served          a back end serves the rings, or may     yes           no
 *   takeBases       all rings have an index now             no            as before
 *                   a ring has none: no answer              as before     as before
 *                   a ring has none: the answer is refused  yes           as before
 *   recover         all rings have an index now             no            as before
 *                   a packed ring has none                  as before     as before
 * </pre>
 */
final class RingIndexes {
  private static final Logger log = LoggerFactory.getLogger(RingIndexes.class);

  private final VirtioNet model;
  private final DeviceMemory memory;
  private final NetConfiguration configuration;
  private final RingEvidence evidence;
  private final KeptInflight inflight;

  /** While the answers of one stop are read: the rings whose position is known by now. */
  private final BitSet positionKnown = new BitSet();

  /** Whether a back end may have served requests since the model got its indexes. */
  private boolean mayBeBehind;

  /** Whether the indexes are of a saved state with which no back end was started yet. */
  private boolean fromState;

  /** Whether this device is a rehearsal's copy of one whose guest memory has not arrived yet. */
  private boolean rehearses;

  /** Answers that did not count since {@link #takeRefused}. */
  private final List<RefusedBase> refused = new ArrayList<>();

  RingIndexes(
      VirtioNet model, DeviceMemory memory, NetConfiguration configuration, KeptInflight inflight) {
    this.model = model;
    this.memory = memory;
    this.configuration = configuration;
    this.evidence = new RingEvidence(model, memory, configuration);
    this.inflight = inflight;
  }

  /** A back end serves the rings or may serve them. */
  void served() {
    mayBeBehind = true;
    fromState = false;
  }

  /**
   * From now on the device is a copy for a rehearsal. It is compared with guest memory as others
   * are, so that this code is rehearsed too, but nothing follows from it.
   */
  void rehearse() {
    rehearses = true;
  }

  private boolean mayBeRuledOut() {
    return fromState && model.live();
  }

  /** The driver has reset the device: the model is right. */
  void driverHasReset() {
    mayBeBehind = false;
    fromState = false;
  }

  /** A saved state was loaded, with the positions of the rings; guest memory may come later. */
  void restored() {
    mayBeBehind = false;
    fromState = true;
  }

  /**
   * {@return whether guest memory, which is complete now, rules out the saved state of any ring, or
   * shows that a driver is wrong} {@link #ruledOut} and {@link #overrun} say which. This reads
   * memory once a ring, because the first access to it takes longer than anything else here.
   */
  boolean mayNotGoOn() {
    for (int ring = 0; mayBeRuledOut() && ring < 2 * model.backEndQueuePairs(); ring++) {
      if (model.isSetUp(ring) && evidence.speaksAgainst(ring, model.ringBase(ring)) && !rehearses) {
        return true;
      }
    }
    return false;
  }

  /**
   * Checks whether guest memory, which is complete now, rules a saved state out.
   *
   * @return the first ring whose position is ruled out; -1 if there is none
   */
  int ruledOut() {
    for (int ring = 0; mayBeRuledOut() && ring < 2 * model.backEndQueuePairs(); ring++) {
      if (model.isSetUp(ring)
          && !evidence.driverIsWrong(ring)
          && evidence.rulesOut(ring, model.ringBase(ring))
          && !rehearses) {
        return ring;
      }
    }
    return -1;
  }

  /** The first ring in which a driver has made more available than there are entries; -1: none. */
  int overrun() {
    for (int ring = 0; mayBeRuledOut() && ring < 2 * model.backEndQueuePairs(); ring++) {
      if (model.isSetUp(ring) && evidence.driverIsWrong(ring) && !rehearses) {
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

  /** The answers that did not count since the last call. */
  List<RefusedBase> takeRefused() {
    List<RefusedBase> all = List.copyOf(refused);
    refused.clear();
    return all;
  }

  /**
   * Puts the bases at which rings stopped into the model. Where the back end did not answer a base,
   * the position is recovered as far as possible.
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
    positionKnown.clear();
    if (!model.packed()) {
      recover(); // the used index counts if a back end leaves requests in flight
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
      positionKnown.set(ring);
    } else {
      Integer instead = refuse(ring, answered);
      if (instead == null) {
        mayBeBehind = true;
      } else {
        model.setRingBase(ring, instead);
        positionKnown.set(ring);
      }
    }
  }

  /**
   * Returns where a ring goes on that has just stopped and that the same plan starts again.
   *
   * @param answered the base in the answer to GET_VRING_BASE
   * @return the base; null if it is not known
   */
  @Nullable Integer goesOnAt(int ring, int answered, BackEndProfile profile) {
    if (!isSetUp(ring)) {
      return answered;
    }
    int base = withUsedHalf(answered, profile);
    return counts(ring, base) ? Integer.valueOf(base) : refuse(ring, answered);
  }

  /**
   * Whether neither guest memory nor the in-flight region rules a base out. A rehearsal's peer
   * knows neither, so there each answer counts.
   */
  private boolean counts(int ring, int base) {
    if (evidence.rulesOut(ring, base)) {
      return rehearses;
    }
    RingIndex noted = model.packed() ? noted(ring) : null;
    // A region in which nothing was recorded yet looks like the start of a ring.
    return noted == null
        || rehearses
        || noted.equals(RingIndex.start(true))
        || noted.toVhostBase() >>> 16 == base >>> 16;
  }

  /** The position of a packed ring in its in-flight region; null if none, or if it is ruled out. */
  private @Nullable RingIndex noted(int ring) {
    InflightRegion region = inflight.region();
    if (region == null) {
      return null;
    }
    RingIndex noted = noted(region, ring, model.queue(ring));
    return noted == null || evidence.rulesOut(ring, noted.toVhostBase()) ? null : noted;
  }

  /** An answer does not count. Returns what counts instead; null if it is not known. */
  private @Nullable Integer refuse(int ring, int answered) {
    Integer instead;
    if (model.packed()) {
      RingIndex index = packedIndex(ring, model.queue(ring), inflight.region());
      instead = index == null ? null : index.toVhostBase();
    } else {
      instead = configuration.usedIndex(model, ring); // it has ruled the answer out
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
      all &= positionKnown.get(ring) || !isSetUp(ring);
    }
    mayBeBehind &= !all;
  }

  private boolean isSetUp(int ring) {
    return ring < 2 * model.backEndQueuePairs() && model.isSetUp(ring);
  }

  /**
   * Corrects indexes that may be behind, where possible.
   *
   * @return whether all of them are right now
   */
  boolean recover() {
    boolean known = true;
    for (int i = 0; mayBeBehind && i < 2 * model.backEndQueuePairs(); i++) {
      if (!model.isSetUp(i)) {
        continue;
      }
      if (!model.packed()) {
        Integer used = configuration.usedIndex(model, i);
        if (used != null) { // else its driver moved the ring out of memory
          model.setRingBase(i, used);
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
    mayBeBehind &= !known;
    return known;
  }

  /** The position of a packed ring after its back end has gone; null if it is not known. */
  private @Nullable RingIndex packedIndex(
      int ring, QueueState queue, @Nullable InflightRegion region) {
    if (!memory.contains(queue.desc(), 16L * queue.size())) {
      return null; // its driver has moved it out of memory
    }
    if (PackedDescriptors.isBlank(memory, queue.desc())) {
      return RingIndex.start(true); // its driver has never made anything available
    }
    return region == null ? null : noted(region, ring, queue);
  }

  private @Nullable RingIndex noted(InflightRegion region, int ring, QueueState queue) {
    return InflightPositions.of(
            region, ring, queue.size(), PackedDescriptors.flags(memory, queue.desc()))
        .orElse(null);
  }

  /**
   * The same, for rings that are to be served.
   *
   * @throws VhostException if an index is still not known: the driver has to reset the device,
   *     because a back end that serves a ring from an old index writes into memory that the guest
   *     uses for something else
   */
  void requireRecovered() {
    if (!recover()) {
      throw new VhostException(
          "%s: the back end has gone, or its answer was wrong, and where it was in the packed rings is not known (%s); the driver has to reset the device"
              .formatted(
                  model.name(),
                  inflight.region() == null
                      ? "no in-flight region"
                      : "its in-flight region does not say"),
          Recovery.GIVE_UP);
    }
  }
}
