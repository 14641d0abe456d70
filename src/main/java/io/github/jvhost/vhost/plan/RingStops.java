package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.vhost.plan.Fact.WhileRunning;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.DeviceStatus;
import org.jspecify.annotations.Nullable;

/**
 * The part of a plan that stops rings. It stops all rings where the device stops. Otherwise it
 * stops the rings that cannot take a change while they run, and the rings that this back end stops
 * together with them.
 */
final class RingStops {
  private final PlanDraft plan;

  RingStops(PlanDraft plan) {
    this.plan = plan;
  }

  /** Stops all rings of a device that is to stop. */
  void stopAll() {
    for (int i = 0; i < plan.now().ringCount(); i++) {
      switch (plan.now().ring(i).run()) {
        case STARTED -> stop(i, Why.STOP);
        case UNKNOWN -> stop(i, Why.RUN_UNKNOWN);
        case STOPPED -> {}
      }
    }
  }

  /** Stops each ring that cannot take its change while it runs. */
  void stopWhatCannotChange() {
    boolean any = false;
    int rings = Math.max(plan.now().ringCount(), plan.desired().rings().size());
    for (int i = 0; i < rings; i++) {
      Why why = whyStop(i);
      if (why != null) {
        stop(i, why);
        any = true;
      } else if (isFrozen(i)) {
        suspend(Why.STOP_FIRST);
        any = true;
      }
    }
    if (!any) {
      return;
    }
    for (int i = 0; i < plan.now().ringCount(); i++) {
      // The stop of another ring, or SUSPEND, has stopped this one too, so its base has to be read.
      if (plan.now().ring(i).run() == RingShadow.Run.UNKNOWN) {
        stop(i, Why.STOPS_TOGETHER);
      }
    }
  }

  private @Nullable Why whyStop(int index) {
    RingShadow held = plan.now().ring(index);
    return switch (held.run()) {
      case STOPPED -> {
        boolean gone = wouldRunThoughGone(index) && !plan.capabilities().hasPresetup();
        yield gone ? Why.RING_GONE : null;
      }
      case UNKNOWN -> Why.RUN_UNKNOWN;
      case STARTED -> {
        RingConfig wanted = plan.wanted(index);
        if (!wanted.isSetUp()) {
          yield Why.RING_GONE;
        }
        yield plan.renegotiates()
                || plan.replacesInflight()
                || startedThoughGone(held, wanted)
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

  /** Whether a ring that does not run cannot be set up, because its device runs. */
  private boolean isFrozen(int index) {
    return maySuspend()
        && plan.now().ring(index).run() == RingShadow.Run.STOPPED
        && plan.wanted(index).isSetUp()
        && (differs(Fact.SIZE, index) || differs(Fact.BASE, index) || differs(Fact.ADDRESS, index));
  }

  private <T> boolean differs(Fact<T> fact, int index) {
    T wanted = fact.wanted(plan, index);
    return wanted != null && !plan.now().get(fact, index).is(wanted);
  }

  /** Whether a ring still has the dummy kick of explicit presetup, so it was never started. */
  static boolean heldByPresetup(RingShadow held, RingConfig wanted) {
    return held.get(Fact.KICK).orNull() instanceof RingEventfd.NoFd
        && !held.get(Fact.KICK).is(wanted.kick());
  }

  /**
   * Whether a ring was preset, was gone when the device started, and is back: it was started with
   * the others, and not told where.
   */
  static boolean startedThoughGone(RingShadow held, RingConfig wanted) {
    return held.run() == RingShadow.Run.STARTED
        && wanted.base() != null
        && !held.get(Fact.BASE).isHeld();
  }

  /** Whether the new memory table changes a region in which the ring lies. */
  private boolean ringMoves(RingConfig ring) {
    MemoryTable before = plan.now().get(Fact.MEMORY).orNull();
    RingAddresses at = ring.addresses();
    if (before == null || at == null) {
      return true;
    }
    if (plan.desired().translations() != null) {
      // A back end drops all translations with the table, and finds the ring in another region.
      return !before.equals(plan.desired().memory());
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

  /** Whether the device may run, and as a whole: its rings cannot be stopped one by one. */
  private boolean maySuspend() {
    return plan.capabilities().freezesRings()
        && !plan.now().get(Fact.SUSPENDED).is(true)
        && switch (plan.now().get(Fact.STATUS)) {
          case Known.NotSent<?> _ -> false;
          case Known.Held<Integer>(Integer status) -> (status & DeviceStatus.DRIVER_OK) != 0;
          case Known.Unknown<?> _ -> true;
        };
  }

  /** Suspends a device that may run, before the first of its rings is asked where it is. */
  void suspend(Why why) {
    if (maySuspend()) {
      plan.send(Fact.SUSPENDED, Step.NO_RING, true, why);
    }
  }

  private void stop(int index, Why why) {
    suspend(why);
    plan.add(
        new Step.StopRing(index),
        Answer.COLLECTED,
        PlanDraft.ringField(index, "stop"),
        null,
        null,
        why);
  }

  /**
   * Whether a stopped ring would start at DRIVER_OK although the driver has taken it down: it was
   * preset before.
   */
  private boolean wouldRunThoughGone(int index) {
    RingShadow held = plan.now().ring(index);
    return !plan.wanted(index).isSetUp()
        && held.run() == RingShadow.Run.STOPPED
        && !(held.get(Fact.KICK) instanceof Known.NotSent);
  }

  /**
   * Disables a ring that was preset and that the driver has taken down since. A GET_VRING_BASE
   * between explicit presetup and the start would discard the configuration of the hardware.
   */
  void disableWhatIsGone(int index) {
    RingShadow held = plan.now().ring(index);
    if (wouldRunThoughGone(index) && mayBeEnabled(held)) {
      plan.send(Fact.ENABLED, index, false, Why.RING_GONE);
    }
  }

  private static boolean mayBeEnabled(RingShadow held) {
    return !(held.get(Fact.ENABLED) instanceof Known.NotSent) && !held.get(Fact.ENABLED).is(false);
  }
}
