package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.DeviceTranslations.Area;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Test aid: the translations of one device, real plans for them, and a model of a DPDK back end
 * that carries them out. No sockets.
 *
 * <p>The back end asks once for each address and access. It ignores an entry for an address at
 * which it has one. An invalidation takes each entry that the range touches, and the one right
 * behind.
 */
final class PlannedTranslations {
  final DeviceTranslations translations;
  final List<Translation> held = new ArrayList<>();
  final Set<Misses.Miss> asked = new HashSet<>();
  private final GuestMemory memory;
  private final BackEndCapabilities capabilities = Configs.backEnd(BackEndProfile.DPDK);
  private Shadow shadow = Shadow.nothingHeld();

  PlannedTranslations(DeviceTranslations translations, GuestMemory memory) {
    this.translations = translations;
    this.memory = memory;
  }

  /** What the front end knows that the back end may hold. */
  Shadow shadow() {
    shadow = shadow.after(translations.takeSent(), capabilities, false);
    return shadow;
  }

  /** Plans, and has the back end carry it out. */
  List<Translation> plan(DeviceConfig.Lifecycle lifecycle, List<Area> rings) {
    boolean early = lifecycle.isEarly();
    List<Translation> desired = translations.desired(rings, !early);
    var config =
        new DeviceConfig(
            lifecycle, 0, null, memory.table(), null, List.of(), null, desired, null, null, 0);
    Plan plan = Planner.plan(shadow(), config, capabilities);
    translations.planBegins(plan.steps());
    plan.steps().stream().map(PlannedStep::step).forEach(this::take);
    shadow = shadow.after(plan, Outcome.ofAll(plan));
    translations.planEnded(plan.steps(), true, shadow);
    return desired;
  }

  /** The back end uses an address, and asks if it has to. */
  Optional<Translation> use(long iova, Access access) {
    boolean has = held.stream().anyMatch(t -> t.contains(iova) && t.access().permits(access));
    if (has || !asked.add(new Misses.Miss(iova, access))) {
      return Optional.empty();
    }
    Optional<Step.Translate> answer = translations.missed(iova, access);
    answer.ifPresent(this::take);
    return answer.map(Step.Translate::translation);
  }

  private void take(Step step) {
    if (step instanceof Step.Translate(Translation one, var _)
        && held.stream().noneMatch(t -> t.iova() == one.iova())) {
      held.add(one);
      asked.removeIf(miss -> one.contains(miss.iova()) && one.access().permits(miss.access()));
    } else if (step instanceof Step.Invalidate(long first, long last)) {
      held.removeIf(t -> t.touches(first, last) || (last != -1 && t.iova() == last + 1));
    }
  }
}
