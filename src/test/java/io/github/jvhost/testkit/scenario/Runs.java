package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.util.List;
import java.util.function.Predicate;

/** Runs scenarios, and holds each to what holds of all of them. */
final class Runs {
  static final int DEVICES = 2;
  private static final long MEMORY = 32L << 20;

  private Runs() {}

  /** Two NICs in little memory. */
  static ScenarioOptions options(Variant variant, int queuePairs) {
    return ScenarioOptions.of(variant).sized(DEVICES, queuePairs, MEMORY);
  }

  static ScenarioOptions options(Variant variant) {
    return options(variant, 1);
  }

  /** With a mock that is DPDK, and a front end that knows it. */
  static ScenarioOptions dpdkLike(int queuePairs) {
    return options(Variant.IMPLICIT_DPDK, queuePairs)
        .with(null, Personality.DPDK, BackEndProfile.DPDK);
  }

  /** Migrates; one guest runs in the end, is reached both ways, and nothing is left open. */
  static RunResult run(ScenarioOptions options) {
    var scenario = new MigrationScenario(options, (_, _) -> {});
    RunResult result = scenario.run();
    assertThat(scenario.openDescriptors()).as("open descriptors").isZero();
    assertThat(result.problems()).isEmpty();
    assertThat(result.checksumOk()).isTrue();
    assertThat(result.recovered()).as("recovered").isTrue();
    assertThat(result.lost()).as("lost of %s", result).isZero();
    assertThat(result.outbound().duplicates()).as("duplicates").isZero();
    RunResult.Pings inbound = result.inbound();
    if (inbound != null) {
      assertThat(inbound.duplicates()).as("inbound duplicates").isZero();
    }
    assertThat(result.totalPages()).isGreaterThanOrEqualTo(options.memoryBytes() / 4096);
    assertThat(result.finalRoundPages()).isLessThan(result.totalPages() / 2);
    return result;
  }

  /** The same, and the guest runs on the destination. */
  static RunResult migrate(ScenarioOptions options) {
    RunResult result = run(options);
    assertThat(result.ranOn()).isEqualTo("destination");
    return result;
  }

  /** What a device's plan is about, "ring 3 base" among them, in order. */
  static List<String> fields(RunResult result, int device) {
    return steps(result, device, _ -> true);
  }

  static List<String> steps(RunResult result, int device, Predicate<RunResult.DeviceStep> which) {
    return result.plan().stream()
        .filter(s -> s.device().equals("net" + device))
        .filter(which)
        .map(RunResult.DeviceStep::field)
        .toList();
  }
}
