package io.github.jvhost.vhost;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.VirtioNet;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The start of a device, planned and encoded from a state that was saved while its guest still ran.
 * At the moment of the start it is compared with what the device has become: if only ring indexes
 * have moved, they are patched in, else the planner is asked again. The comparison is one of
 * numbers and makes no object.
 */
final class PreparedStart {
  private final PreparedPlan plan;
  private final PreparedExecution execution;
  private final Shadow shadow;
  private final MemoryTable memory;
  private final @Nullable InflightRegion inflight;

  // What of the device the plan was made of.
  private final long features;
  private final boolean packed;
  private final boolean bigEndian;
  private final boolean tellsMtu;
  private final int mtu;
  private final int pairs;
  private final int pairsInUse;
  private final List<QueueState> rings;

  /** By step: whether a back end that resumes at the used index in guest memory may do so there. */
  private final boolean[] mustBeUsedIndex;

  private PreparedStart(
      PreparedPlan plan,
      Deadline deadline,
      Shadow shadow,
      VirtioNet like,
      MemoryTable memory,
      @Nullable InflightRegion inflight) {
    this.plan = plan;
    this.execution = new PreparedExecution(plan, deadline);
    this.shadow = shadow;
    this.memory = memory;
    this.inflight = inflight;
    this.features = like.backEndFeatures();
    this.packed = like.packed();
    this.bigEndian = like.legacyBigEndian();
    this.tellsMtu = NetFeature.MTU.in(like.driverFeatures());
    this.mtu = like.mtu();
    this.pairs = like.backEndQueuePairs();
    this.pairsInUse = like.currentQueuePairs();
    List<QueueState> queues = new ArrayList<>(2 * pairs);
    for (int i = 0; i < 2 * pairs; i++) {
      queues.add(like.queue(i));
    }
    this.rings = List.copyOf(queues);
    this.mustBeUsedIndex = resumesAtUsedIndex(plan.asPlanned());
  }

  /**
   * Prepares a start.
   *
   * @param like a model with the early state
   * @param planned from {@code shadow} to what that model makes, guest memory not looked at
   * @param connection of the device
   * @param inflight the device's region at this time
   * @param deadline of the start; restarted then
   * @return null: this plan cannot be told without waiting on the way
   */
  static @Nullable PreparedStart of(
      VirtioNet like,
      Plan planned,
      DeviceConnection connection,
      Shadow shadow,
      MemoryTable memory,
      @Nullable InflightRegion inflight,
      Deadline deadline) {
    PreparedPlan plan = PreparedPlan.of(planned, connection.channel());
    if (plan == null) {
      return null;
    }
    var start = new PreparedStart(plan, deadline, shadow, like, memory, inflight);
    start.execution.withdrawsDoorbellsOf(connection);
    return start;
  }

  /**
   * Patches in where the rings go on, if nothing else is different now.
   *
   * @param model of the device, complete
   * @param guest memory, complete
   * @param held what the back end is known to hold now
   * @param region the device's in-flight region now
   * @param channel of the device now
   * @return what to carry out; null: something else is different, or this was carried out before
   */
  @SuppressWarnings("ReferenceEquality") // immutable, and compared without walking through them
  @Nullable PreparedExecution completed(
      VirtioNet model,
      GuestMemory guest,
      Shadow held,
      @Nullable InflightRegion region,
      VhostUserChannel channel) {
    boolean same =
        !execution.isBegun()
            && !execution.isFinished()
            && held == shadow
            && region == inflight
            && channel == plan.channel()
            && !channel.poisoned()
            && guest.table() == memory
            && isLike(model);
    return same && patch(model, guest) ? execution : null;
  }

  /** Lets a start that was carried out be carried out once more. */
  void rewind() {
    execution.rewind();
  }

  private boolean isLike(VirtioNet model) {
    boolean same =
        model.backEndFeatures() == features
            && model.packed() == packed
            && model.legacyBigEndian() == bigEndian
            && NetFeature.MTU.in(model.driverFeatures()) == tellsMtu
            && (!tellsMtu || model.mtu() == mtu)
            && model.backEndQueuePairs() == pairs
            && model.currentQueuePairs() == pairsInUse;
    for (int i = 0; same && i < rings.size(); i++) {
      same = model.isSetUpLike(i, rings.get(i));
    }
    return same;
  }

  private boolean patch(VirtioNet model, GuestMemory guest) {
    for (int step = 0; step < plan.size(); step++) {
      int ring = plan.ringOf(step);
      if (ring >= 0) {
        int base = model.ringBase(ring);
        if (mustBeUsedIndex[step] && !isUsedIndex(base, rings.get(ring), guest)) {
          return false; // its address has to be told again, behind the base
        }
        plan.base(step, base);
      }
    }
    return true;
  }

  private boolean isUsedIndex(int base, QueueState ring, GuestMemory guest) {
    return !bigEndian && NetConfiguration.usedIndex(guest, ring.used(), false) == (base & 0xffff);
  }

  /**
   * Back ends that take the used index from guest memory when they translate a ring's address have
   * it right by themselves, unless the ring goes on elsewhere; then the plan has one step more.
   * Where the address is told behind the base anyway, there is nothing to look at.
   */
  private boolean[] resumesAtUsedIndex(Plan planned) {
    boolean[] mustBe = new boolean[plan.size()];
    boolean takes = planned.capabilities().profile().takesUsedIndexAtTranslation() && !packed;
    for (int step = 0; takes && step < mustBe.length; step++) {
      int ring = plan.ringOf(step);
      mustBe[step] =
          ring >= 0
              && planned.steps().stream()
                  .noneMatch(s -> s.step() instanceof Step.SetRingAddress a && a.ring() == ring);
    }
    return mustBe;
  }
}
