package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.RingRule.WhileStarted;
import org.jspecify.annotations.Nullable;

/**
 * The part of a plan that takes rings out of service: all of them where the device stops, and
 * otherwise those that cannot take a change while they run, with those that this back end stops
 * along with them.
 */
final class RingStops {
  private final PlanDraft plan;

  RingStops(PlanDraft plan) {
    this.plan = plan;
  }

  /** For a device that is to stop. */
  void stopAll() {
    for (int i = 0; i < plan.now().ringCount(); i++) {
      switch (plan.now().ring(i).run()) {
        case STARTED -> stop(i, Why.STOP);
        case UNKNOWN -> stop(i, Why.RUN_UNKNOWN);
        case STOPPED -> {}
      }
    }
  }

  /** For a device that is to be configured: stops each ring that cannot take its change running. */
  void stopWhatCannotChange() {
    boolean any = false;
    for (int i = 0; i < plan.now().ringCount(); i++) {
      Why why = whyStop(i);
      if (why != null) {
        stop(i, why);
        any = true;
      }
    }
    if (!any) {
      return;
    }
    for (int i = 0; i < plan.now().ringCount(); i++) {
      // Those that the stop of another one stopped, too: their bases have to be read as well.
      if (plan.now().ring(i).run() == RingShadow.Run.UNKNOWN) {
        stop(i, Why.STOPS_TOGETHER);
      }
    }
  }

  private @Nullable Why whyStop(int index) {
    RingShadow held = plan.now().ring(index);
    return switch (held.run()) {
      case STOPPED ->
          wouldRunThoughGone(index) && !plan.capabilities().hasPresetup() ? Why.RING_GONE : null;
      case UNKNOWN -> Why.RUN_UNKNOWN;
      case STARTED -> {
        RingConfig wanted = plan.wanted(index);
        if (!wanted.isSetUp()) {
          yield Why.RING_GONE;
        }
        boolean stopForSize =
            RingRule.SIZE.whileStarted() == WhileStarted.STOP_FIRST
                && !held.size().is(wanted.size());
        boolean stopForAddress =
            RingRule.ADDRESS.whileStarted() == WhileStarted.STOP_FIRST
                && (!held.addresses().is(wanted.addresses()) || ringMoves(wanted));
        boolean stopForOrder =
            RingRule.ORDER.whileStarted() == WhileStarted.STOP_FIRST
                && plan.desired().ringOrder() != null
                && !held.order().is(plan.desired().ringOrder());
        boolean stopForKick =
            RingRule.KICK.whileStarted() == WhileStarted.STOP_FIRST
                && wanted.kick() != null
                && !held.kick().is(wanted.kick());
        yield plan.renegotiates()
                || stopForOrder
                || stopForKick
                || plan.replacesInflight()
                || stopForSize
                || stopForAddress
                || plan.desired().lifecycle().isEarly()
            ? Why.STOP_FIRST
            : null;
      }
    };
  }

  /** Whether a ring still has the kick of an explicit early set-up: it was gone at the start. */
  static boolean heldByPresetup(RingShadow held, RingConfig wanted) {
    return held.kick().orNull() instanceof Notifier.WithoutDescriptor
        && !held.kick().is(wanted.kick());
  }

  /** Whether a ring's bytes lie elsewhere under the new memory table. */
  private boolean ringMoves(RingConfig ring) {
    MemoryTable before = plan.now().memory().orNull();
    RingAddresses at = ring.addresses();
    if (before == null || at == null) {
      return true;
    }
    return regionChanges(before, at.descriptor())
        || regionChanges(before, at.used())
        || regionChanges(before, at.available());
  }

  private boolean regionChanges(MemoryTable before, long guestAddress) {
    MemoryRegion held = regionAt(before, guestAddress);
    return held == null || !held.equals(regionAt(plan.desired().memory(), guestAddress));
  }

  private static @Nullable MemoryRegion regionAt(MemoryTable table, long guestAddress) {
    for (MemoryRegion region : table.regions()) {
      long offset = guestAddress - region.guestAddress();
      if (offset >= 0 && offset < region.size()) {
        return region;
      }
    }
    return null;
  }

  private void stop(int index, Why why) {
    plan.add(
        new Step.StopRing(index),
        Answer.COLLECTED,
        PlanDraft.ringField(index, "stop"),
        null,
        null,
        why);
  }

  /**
   * Whether a ring that does not run would, at DRIVER_OK: it was told early, and the driver has
   * taken it down since.
   */
  private boolean wouldRunThoughGone(int index) {
    RingShadow held = plan.now().ring(index);
    return !plan.wanted(index).isSetUp()
        && held.run() == RingShadow.Run.STOPPED
        && !(held.kick() instanceof Known.NotTold);
  }

  /**
   * A GET_VRING_BASE between an explicit early set-up and the start would throw away what the
   * hardware was configured with, so there the ring is only switched off.
   */
  void disableWhatIsGone(int index) {
    RingShadow held = plan.now().ring(index);
    if (wouldRunThoughGone(index) && mayBeEnabled(held)) {
      plan.add(
          new Step.EnableRing(index, false),
          Answer.COLLECTED,
          PlanDraft.ringField(index, "enabled"),
          held.enabled(),
          false,
          Why.RING_GONE);
    }
  }

  private static boolean mayBeEnabled(RingShadow held) {
    return !(held.enabled() instanceof Known.NotTold) && !held.enabled().is(false);
  }
}
