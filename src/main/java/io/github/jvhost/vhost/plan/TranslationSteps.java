package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The part of a plan that sends translations. They are a set, of which the difference is sent: what
 * is wrong by now is withdrawn first, before memory changes. What is new is told as soon as the
 * rings exist, before their addresses. In presetup only the rings' own areas are told there, and
 * all else behind the kicks: DPDK may move a ring to the memory of another processor at its first
 * translation, and then forgets all that it was told.
 *
 * <pre>
 *   told      |--a--|--b--|      |--c--|            |--d--|
 *   desired   |--a--|            |--c'-|--e--|
 *   steps     withdraw b, c, d; barrier; ...; tell c', e
 * </pre>
 *
 * <p>An entry that changes is always withdrawn first: DPDK ignores an update for an address at
 * which it has an entry, and acknowledges it.
 */
final class TranslationSteps {
  private final PlanDraft plan;
  private final List<Translation> desired;

  /**
   * The steps of a plan.
   *
   * @param desired in the order of their I/O virtual addresses
   */
  TranslationSteps(PlanDraft plan, List<Translation> desired) {
    this.plan = plan;
    this.desired = desired;
  }

  /**
   * Withdraws what the back end may hold and should not. After it has acknowledged that, a ring's
   * thread may still be writing with a translation that it had looked up before: DPDK was seen to.
   * So each ring that may run is sent once more whether it is enabled. A back end takes the ring's
   * lock for that, and answers when the thread has let go of it.
   */
  void withdraw() {
    Set<Translation> right = new HashSet<>(desired);
    List<Translation> held = held().all();
    boolean any = false;
    int i = 0;
    while (i < held.size()) {
      if (right.contains(held.get(i))) {
        i++;
        continue;
      }
      int end = i + 1;
      while (end < held.size() && !right.contains(held.get(end))) {
        end++; // one message for all of them: between them there is nothing that should stay
      }
      withdraw(held, i, end);
      any = true;
      i = end;
    }
    if (any) {
      waitForRings();
    }
  }

  private void withdraw(List<Translation> held, int from, int to) {
    boolean all = from == 0 && to == held.size();
    long first = all ? 0 : held.get(from).iova();
    long last = all ? -1 : held.get(to - 1).last();
    plan.add(
        new Step.Invalidate(first, last),
        Answer.COLLECTED,
        "translations",
        all ? "all" : "0x%x to 0x%x".formatted(first, last),
        "gone",
        Why.UNMAPPED);
  }

  private void waitForRings() {
    for (int ring = 0; ring < plan.now().ringCount(); ring++) {
      Boolean enabled = plan.now().ring(ring).get(Fact.ENABLED).orNull();
      if (plan.now().ring(ring).run() != RingShadow.Run.STOPPED) {
        plan.send(
            Fact.ENABLED,
            ring,
            enabled == null ? plan.wanted(ring).enabled() : enabled,
            Why.INVALIDATED);
      }
    }
  }

  /** Tells the areas of the rings, as {@link #tellAll}. */
  void tellRings() {
    desired.stream().filter(this::isOfRing).forEach(this::tell);
  }

  /** Tells what the back end does not hold, or may have dropped. */
  void tellAll() {
    desired.forEach(this::tell);
  }

  private void tell(Translation one) {
    if (!held().hold(one)) {
      plan.add(
          new Step.Translate(one, plan.desired().memory()),
          Answer.COLLECTED,
          "translation of 0x%x".formatted(one.iova()),
          null,
          one.toString(),
          Why.NOT_SENT);
    }
  }

  private boolean isOfRing(Translation one) {
    return plan.desired().rings().stream()
        .anyMatch(ring ->
            ring.addresses() != null
                && ring.size() != null
                && ring.addresses().touches(one, ring.size()));
  }

  private Translations held() {
    Translations held = plan.now().get(Fact.TRANSLATIONS).orNull();
    return held == null ? Translations.NONE : held;
  }
}
