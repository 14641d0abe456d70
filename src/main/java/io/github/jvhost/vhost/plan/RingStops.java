package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.vhost.plan.Fact.WhileRunning;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
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
        yield plan.renegotiates()
                || plan.replacesInflight()
                || plan.desired().lifecycle().isEarly()
                || changesWhatNeedsAStop(index)
                || ringMoves(wanted)
            ? Why.STOP_FIRST
            : null;
      }
    };
  }

  private boolean changesWhatNeedsAStop(int index) {
    for (Fact<?> fact : Fact.OF_RING) {
      if (fact.whileRunning() == WhileRunning.STOP_FIRST && differs(fact, index)) {
        return true;
      }
    }
    return false;
  }

  private <T> boolean differs(Fact<T> fact, int index) {
    T wanted = fact.wanted(plan, index);
    return wanted != null && !plan.now().get(fact, index).is(wanted);
  }

  /** Whether a ring still has the kick of an explicit early set-up: it was gone at the start. */
  static boolean heldByPresetup(RingShadow held, RingConfig wanted) {
    return held.get(Fact.KICK).orNull() instanceof Notifier.WithoutDescriptor
        && !held.get(Fact.KICK).is(wanted.kick());
  }

  /** Whether a ring's bytes lie elsewhere under the new memory table. */
  private boolean ringMoves(RingConfig ring) {
    MemoryTable before = plan.now().get(Fact.MEMORY).orNull();
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
        && !(held.get(Fact.KICK) instanceof Known.NotTold);
  }

  /**
   * A GET_VRING_BASE between an explicit early set-up and the start would throw away what the
   * hardware was configured with, so there the ring is only switched off.
   */
  void disableWhatIsGone(int index) {
    RingShadow held = plan.now().ring(index);
    if (wouldRunThoughGone(index) && mayBeEnabled(held)) {
      plan.send(Fact.ENABLED, index, false, Why.RING_GONE);
    }
  }

  private static boolean mayBeEnabled(RingShadow held) {
    return !(held.get(Fact.ENABLED) instanceof Known.NotTold) && !held.get(Fact.ENABLED).is(false);
  }
}
