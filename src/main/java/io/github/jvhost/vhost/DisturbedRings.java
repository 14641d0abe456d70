package io.github.jvhost.vhost;

import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.Why;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.VirtioNet;
import java.util.BitSet;
import java.util.List;

/**
 * Which rings of a running device a plan disturbs, so that a kick or a call may be lost meanwhile:
 * those of its steps, those whose areas are translated anew, and all if something else changes, the
 * memory table for example. A ring that is only waited for is not disturbed. A signal interrupts
 * the guest, and a guest that unmaps each frame causes a plan for each.
 */
final class DisturbedRings {
  private DisturbedRings() {}

  static BitSet by(Plan plan, VirtioNet model) {
    BitSet rings = new BitSet();
    for (PlannedStep planned : plan.steps()) {
      Step step = planned.step();
      if (step instanceof Step.Translate(Translation told, _)) {
        addRingsIn(told, model, rings);
      } else if (step.ring() != Step.NO_RING) {
        rings.set(step.ring(), rings.get(step.ring()) || planned.why() != Why.INVALIDATED);
      } else if (!(step instanceof Step.Invalidate)) {
        rings.set(0, 2 * model.backEndQueuePairs());
      }
    }
    return rings;
  }

  private static void addRingsIn(Translation told, VirtioNet model, BitSet rings) {
    for (int ring = 0; ring < 2 * model.backEndQueuePairs(); ring++) {
      QueueState queue = model.queue(ring);
      if (queue.isSetUp() && isIn(told, NetConfiguration.areas(queue, model.packed()))) {
        rings.set(ring);
      }
    }
  }

  private static boolean isIn(Translation told, List<DeviceTranslations.Area> areas) {
    return areas.stream().anyMatch(area -> told.touches(area.first(), area.last()));
  }
}
