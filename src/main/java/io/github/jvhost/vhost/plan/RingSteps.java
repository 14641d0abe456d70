package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.NetFeature;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The part of a plan that tells rings: of all of them size, byte order, call and err, then of each
 * enable, base, address and kick, in this order, and of these only what is different.
 *
 * <p>Size and call of all rings come before the first enable: a back end that knows of one ring
 * only when that is enabled may take the device for one without a TX ring. DPDK tells its
 * application of every enable at once. QEMU has told the calls of all rings by then, too.
 *
 * <p>A ring is enabled before it is kicked into life, because a started and disabled TX ring is
 * emptied into nothing (vhost-user, "Ring states"). The address comes behind the base, because some
 * back ends look at the used index in guest memory when they translate it.
 */
final class RingSteps {
  private final PlanDraft plan;
  private final boolean memoryChanged;

  /**
   * Behind the device's own steps.
   *
   * @param memoryChanged whether the plan replaces a memory table
   */
  RingSteps(PlanDraft plan, boolean memoryChanged) {
    this.plan = plan;
    this.memoryChanged = memoryChanged;
  }

  /** Tells what is different of the rings that are to be set up, and makes none of them run. */
  void describe() {
    for (int i = 0; i < plan.desired().rings().size(); i++) {
      RingConfig ring = plan.desired().rings().get(i);
      if (ring.isSetUp()) {
        describe(i, ring);
      }
    }
  }

  /** Tells the rest of what is different, which is where they run. */
  void putInService() {
    for (int i = 0; i < plan.desired().rings().size(); i++) {
      RingConfig ring = plan.desired().rings().get(i);
      if (ring.isSetUp()) {
        putInService(i, ring);
      }
    }
  }

  private void describe(int index, RingConfig wanted) {
    RingShadow held = plan.now().ring(index);
    if (!held.size().is(wanted.size()) && wanted.size() != null) {
      plan.add(
          new Step.SetRingSize(index, wanted.size()),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "size"),
          held.size(),
          wanted.size(),
          PlanDraft.whyTold(held.size()));
    }
    ByteOrder order = plan.desired().ringOrder();
    if (order != null && !held.order().is(order)) {
      plan.add(
          new Step.SetRingOrder(index, order),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "byte order"),
          held.order(),
          order,
          PlanDraft.whyTold(held.order()));
    }
    Notifier call = wanted.call();
    if (call != null && !held.call().is(call)) {
      plan.add(
          new Step.SetRingCall(index, call),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "call"),
          held.call(),
          call,
          PlanDraft.whyTold(held.call()));
    }
    Notifier err = errToTell(held, wanted);
    if (err != null && !held.err().is(err)) {
      plan.add(
          new Step.SetRingErr(index, err),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "err"),
          held.err(),
          err,
          PlanDraft.whyTold(held.err()));
    }
  }

  private void putInService(int index, RingConfig wanted) {
    RingShadow held = plan.now().ring(index);
    boolean started = held.run() == RingShadow.Run.STARTED;
    if (plan.capabilities().hasRingEnable() && !held.enabled().is(wanted.enabled())) {
      plan.add(
          new Step.EnableRing(index, wanted.enabled()),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "enabled"),
          held.enabled(),
          wanted.enabled(),
          PlanDraft.whyTold(held.enabled()));
    }
    boolean baseTold = !started && base(index, wanted);
    address(index, wanted, baseTold);
    Notifier kick = wanted.kick();
    if (kick != null && !plan.now().ring(index).kick().is(kick)) {
      plan.add(
          new Step.SetRingKick(index, kick),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "kick"),
          held.kick(),
          kick,
          PlanDraft.whyTold(held.kick()));
    }
  }

  /** An err notifier that is not wanted any more is taken back. */
  private static @Nullable Notifier errToTell(RingShadow held, RingConfig wanted) {
    boolean heldOne = held.err().orNull() instanceof Notifier.Eventfd;
    return wanted.err() == null && heldOne ? new Notifier.WithoutDescriptor() : wanted.err();
  }

  private boolean base(int index, RingConfig wanted) {
    RingShadow held = plan.now().ring(index);
    boolean stoppedInThisPlan = plan.stops(index);
    if (wanted.base() == null && !stoppedInThisPlan) {
      return false;
    }
    if (stoppedInThisPlan && goesOnWhereItStopped(index, wanted)) {
      // Where the ring really stopped is fresher than anything that the caller can know.
      plan.add(
          new Step.SetRingBase(index, null),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "base"),
          null,
          "where it stopped",
          Why.UNKNOWN);
      return true;
    }
    if (wanted.base() == null) {
      return false;
    }
    if (plan.desired().lifecycle().isEarly() && !(held.base() instanceof Known.NotTold)) {
      return false; // told once to complete the ring; it says nothing, so it never has to be right
    }
    if (held.base().is(wanted.base())) {
      return false;
    }
    plan.add(
        new Step.SetRingBase(index, wanted.base()),
        Answer.COLLECTED,
        PlanDraft.ringField(index, "base"),
        held.base(),
        wanted.base(),
        held.base() instanceof Known.Unknown ? Why.EARLY_BASE : PlanDraft.whyTold(held.base()));
    return true;
  }

  /**
   * Whether a ring that this plan stops is taken up there again. A ring that the driver has set up
   * anew begins where the driver says, and of one that may never have run the back end says
   * nothing.
   */
  private boolean goesOnWhereItStopped(int index, RingConfig wanted) {
    RingShadow before = plan.before().ring(index);
    boolean another =
        plan.renegotiates()
            || RingStops.heldByPresetup(before, wanted)
            || (before.size().isTold() && !before.size().is(wanted.size()))
            || (before.addresses().isTold() && !before.addresses().is(wanted.addresses()));
    boolean surelyRan = before.run() == RingShadow.Run.STARTED;
    return plan.desired().lifecycle() == DeviceConfig.Lifecycle.RUNNING
        && (wanted.base() == null || (surelyRan && !another));
  }

  private void address(int index, RingConfig wanted, boolean baseTold) {
    RingAddresses addresses = wanted.addresses();
    if (addresses == null) {
      return;
    }
    RingShadow held = plan.now().ring(index);
    boolean moved = !held.addresses().is(addresses);
    boolean logFlag = !held.logUsed().is(wanted.logUsed());
    boolean wouldResume =
        baseTold
            && plan.capabilities().profile().takesUsedIndexAtTranslation()
            && wanted.usedIndex() != null
            && wanted.base() != null
            && wanted.usedIndex() != (wanted.base() & 0xffff);
    if (!moved && !logFlag && !wouldResume) {
      return;
    }
    Why why;
    if (moved) {
      boolean forgotten = memoryChanged && held.addresses() instanceof Known.Unknown;
      why = forgotten ? Why.MEMORY_CHANGED : PlanDraft.whyTold(held.addresses());
    } else {
      why = logFlag ? Why.LOGGING : Why.USED_INDEX_DIFFERS;
    }
    boolean packed = NetFeature.RING_PACKED.in(plan.desired().features());
    plan.add(
        new Step.SetRingAddress(
            index,
            addresses,
            plan.desired().memory(),
            wanted.logUsed(),
            packed ? addresses.descriptor() : addresses.used()),
        Answer.COLLECTED,
        PlanDraft.ringField(index, "address"),
        held.addresses(),
        addresses,
        why);
  }
}
