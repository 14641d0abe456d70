package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.Fact.WhileRunning;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The part of a plan that sends the facts of rings that have changed. It first sends what describes
 * all rings. Then it puts ring by ring into service.
 */
final class RingSteps {
  private final PlanDraft plan;

  RingSteps(PlanDraft plan) {
    this.plan = plan;
  }

  /** Sends what describes the rings that are to be set up. None of them runs because of it. */
  void describe() {
    sendOfAll(Fact.DESCRIBING);
  }

  private void sendOfAll(List<Fact<?>> facts) {
    for (int i = 0; i < plan.desired().rings().size(); i++) {
      if (plan.wanted(i).isSetUp()) {
        for (Fact<?> fact : facts) {
          plan.send(fact, i);
        }
      }
    }
  }

  /** Sends the other facts, with which the rings run once they are started. */
  void putIntoService() {
    for (int i = 0; i < plan.desired().rings().size(); i++) {
      if (plan.wanted(i).isSetUp()) {
        putIntoService(i);
      }
    }
  }

  /** Has the rings served, where that is a step of its own. */
  void serve() {
    sendOfAll(Fact.STARTING);
  }

  private void putIntoService(int index) {
    boolean started = plan.now().ring(index).run() == RingShadow.Run.STARTED;
    for (Fact<?> fact : Fact.SERVING) {
      if (started && fact.whileRunning() == WhileRunning.NEVER) {
        continue;
      }
      if (fact == Fact.BASE && plan.stops(index) && goesOnWhereItStopped(index)) {
        // The base that the back end answers is newer than the base that the caller knows.
        plan.add(
            new Step.ResumeRing(index),
            Answer.COLLECTED,
            PlanDraft.ringField(index, "base"),
            null,
            "where it stopped",
            Why.UNKNOWN);
      } else {
        plan.send(fact, index);
      }
    }
  }

  /**
   * Whether a ring that this plan stops goes on where it stopped. A ring that the driver has set up
   * anew begins where the driver says. For a ring that may never have run, the answer of the back
   * end means nothing.
   */
  private boolean goesOnWhereItStopped(int index) {
    RingConfig wanted = plan.wanted(index);
    RingShadow before = plan.before().ring(index);
    boolean another =
        plan.renegotiates()
            || RingStops.heldByPresetup(before, wanted)
            || RingStops.startedThoughGone(before, wanted)
            || changes(before.get(Fact.SIZE), wanted.size())
            || changes(before.get(Fact.ADDRESS), wanted.addresses());
    boolean surelyRan = before.run() == RingShadow.Run.STARTED;
    return plan.desired().lifecycle() == DeviceConfig.Lifecycle.RUNNING
        && (wanted.base() == null || (surelyRan && !another));
  }

  private static <T> boolean changes(Known<T> held, @Nullable T wanted) {
    return held.isHeld() && !held.is(wanted);
  }
}
