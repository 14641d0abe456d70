package io.github.jvhost.vhost.plan;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.HashSet;
import java.util.Set;

/**
 * The part of a plan that sends guest memory. It is sent as one table. Where the back end takes
 * regions one by one (CONFIGURE_MEM_SLOTS), only the removed regions and then the added regions are
 * sent. In this order no two regions ever overlap, and no more slots are used than in the end.
 *
 * <p>Each step is acknowledged: removed memory may be unmapped only then.
 */
final class MemorySteps {
  private final PlanDraft plan;
  private final MemoryTable wanted;

  MemorySteps(PlanDraft plan) {
    this.plan = plan;
    this.wanted = plan.desired().memory();
  }

  /**
   * Adds the steps.
   *
   * @throws VhostException (GIVE_UP) if the back end cannot take so many regions, (RECONNECT) if it
   *     is not known which of them it holds
   */
  void send() {
    Known<MemoryTable> held = plan.now().get(Fact.MEMORY);
    if (held.is(wanted)) {
      return;
    }
    int most = plan.capabilities().maxMemoryRegions();
    if (wanted.regions().size() > most) {
      throw new VhostException(
          "guest memory has %d regions, the back end takes %d"
              .formatted(wanted.regions().size(), most),
          Recovery.GIVE_UP);
    }
    if (plan.capabilities().hasMemorySlots()) {
      sendDifference(held);
    } else {
      plan.send(Fact.MEMORY, Step.NO_RING);
    }
    plan.replacesMemory(held.isHeld());
  }

  private void sendDifference(Known<MemoryTable> known) {
    MemoryTable held =
        switch (known) {
          case Known.NotSent<MemoryTable> _ -> MemoryTable.EMPTY;
          case Known.Held<MemoryTable>(MemoryTable value) -> value;
          case Known.Unknown<MemoryTable> _ ->
              throw new VhostException(
                  "which memory regions the back end holds is not known, and it cannot be asked",
                  Recovery.RECONNECT);
        };
    Set<MemoryRegion> stay = new HashSet<>(wanted.regions());
    for (MemoryRegion region : held.regions()) {
      if (!stay.contains(region)) {
        plan.add(
            new Step.RemoveRegion(region),
            Answer.COLLECTED,
            "memory region " + region.name(),
            size(region),
            "gone",
            Why.REGION_GONE);
      }
    }
    Set<MemoryRegion> there = new HashSet<>(held.regions());
    for (MemoryRegion region : wanted.regions()) {
      if (!there.contains(region)) {
        plan.add(
            new Step.AddRegion(region),
            Answer.COLLECTED,
            "memory region " + region.name(),
            null,
            size(region),
            Why.NOT_SENT);
      }
    }
  }

  static String sizes(MemoryTable table) {
    return "%d region(s), %d MiB".formatted(table.regions().size(), table.totalBytes() >> 20);
  }

  private static String size(MemoryRegion region) {
    return (region.size() >> 10) + " KiB";
  }
}
