package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Plan;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * For random chains of configurations and every personality of a back end: the plans, executed on a
 * model of it, end in the desired state each time and break no rule.
 */
class PlannerPropertyTest {
  private static final int CHAINS = 600;
  private static final int LONGEST = 6;

  private final Configs configs = new Configs();

  @AfterEach
  void close() {
    configs.close();
    assertThat(configs.ledger.describeOpen()).isEmpty();
  }

  private static BackEndProfile known(Personality personality) {
    return switch (personality) {
      case DPDK -> BackEndProfile.DPDK;
      case VFE -> BackEndProfile.NVIDIA_VFE;
      default -> BackEndProfile.GENERIC;
    };
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void everyPlanEndsInTheDesiredState(Personality personality) {
    everyPlanEndsInTheDesiredState(random -> {
      boolean presetup = personality.knowsPresetup() && random.nextBoolean();
      BackEndProfile profile = random.nextBoolean() ? known(personality) : BackEndProfile.GENERIC;
      return new PlannedBackEnd(
          personality, profile, presetup, random, configs.low.regions().getFirst().file());
    });
  }

  @Test
  void everyPlanForVhostNetEndsInTheDesiredState() {
    everyPlanEndsInTheDesiredState(PlannedKernel::net);
  }

  @Test
  void everyPlanForVhostVdpaEndsInTheDesiredState() {
    everyPlanEndsInTheDesiredState(PlannedKernel::vdpa);
  }

  private void everyPlanEndsInTheDesiredState(
      Function<SplittableRandom, ModelledBackEnd> backEnds) {
    long seed = new SplittableRandom().nextLong();
    SplittableRandom seeds = new SplittableRandom(seed);
    for (int chain = 0; chain < CHAINS; chain++) {
      long chainSeed = seeds.nextLong();
      SplittableRandom random = new SplittableRandom(chainSeed);
      ModelledBackEnd backEnd = backEnds.apply(random);
      RandomConfigs wishes = new RandomConfigs(configs, random, backEnd);
      String story =
          "chain seed %dL (seed %dL), %s".formatted(chainSeed, seed, backEnd.capabilities());
      int length = random.nextInt(2, LONGEST + 1);
      for (int i = 0; i < length; i++) {
        DeviceConfig desired = wishes.next();
        Plan plan = backEnd.reach(desired);
        story = story + "\n-> " + desired.lifecycle() + "\n" + plan.describe();
        backEnd.check(desired, plan, story);
      }
    }
  }
}
