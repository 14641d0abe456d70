package io.github.jvhost.testkit.scenario;

import static io.github.jvhost.testkit.scenario.Runs.DEVICES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same at a real, unmodified DPDK; skipped where it is not installed. */
@Timeout(90)
class DpdkScenarioTest {
  private static final long MEMORY = 64L << 20;
  private static final int BARRIER = 1;

  @BeforeEach
  void needsTestpmd() {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
  }

  private static ScenarioOptions options(Variant variant, int queuePairs) {
    BackEndProfile profile =
        variant == Variant.IMPLICIT_DPDK ? BackEndProfile.DPDK : BackEndProfile.GENERIC;
    return ScenarioOptions.of(variant)
        .sized(DEVICES, queuePairs, MEMORY)
        .with(null, null, profile)
        .onDpdk();
  }

  private static long count(RunResult result, Predicate<RunResult.DeviceStep> which) {
    return result.plan().stream().filter(which).count();
  }

  @ParameterizedTest
  @CsvSource({
    "OFF, 1",
    "OFF, 2",
    "IMPLICIT, 1",
    "IMPLICIT, 2",
    "IMPLICIT_DPDK, 1",
    "IMPLICIT_DPDK, 2"
  })
  void isMigrated(Variant variant, int queuePairs) {
    RunResult result = Runs.migrate(options(variant, queuePairs));

    assertThat(result.fallback()).isNull();
    assertThat(result.residentShare()).as("memory was transferred in full").isEqualTo(1.0);
    int rings = DEVICES * 2 * queuePairs;
    if (variant == Variant.OFF) {
      assertThat(result.waits()).isGreaterThan(DEVICES * 2 * queuePairs);
      // The whole table, or its one region where the back end offers memory slots.
      assertThat(count(result, s -> s.field().startsWith("memory "))).isEqualTo(DEVICES);
      return;
    }
    assertThat(result.waits()).isEqualTo(DEVICES);
    assertThat(result.sourceWaits()).isEqualTo(DEVICES);
    assertThat(count(result, s -> s.field().endsWith(" base"))).isEqualTo(rings);
    assertThat(count(result, s -> s.field().equals("status"))).isEqualTo(DEVICES);
    long addresses = count(result, s -> s.field().endsWith(" address"));
    long kicks = count(result, s -> s.field().endsWith(" kick"));
    if (variant == Variant.IMPLICIT) {
      assertThat(addresses).isEqualTo(rings);
      assertThat(kicks).isEqualTo(rings);
    } else {
      assertThat(kicks).isZero();
      // Only where base and used index differ, as they do with packets between the two.
      assertThat(count(result, s -> s.reason().contains("used index"))).isEqualTo(addresses);
    }
    assertThat(result.plan()).hasSize((int) (rings + DEVICES + addresses + kicks));
    assertThat(result.messages()).isEqualTo(result.plan().size() + DEVICES * BARRIER);
  }

  /** testpmd takes nothing from a ring that is disabled: what was in it is not lost by anybody. */
  @ParameterizedTest
  @CsvSource({"OFF, 2", "IMPLICIT_DPDK, 4"})
  void fewerQueuePairsLoseNothing(Variant variant, int queuePairs) {
    RunResult result =
        Runs.migrate(options(variant, queuePairs).with(Change.QUEUE_PAIRS, Failure.NONE));

    assertThat(result.fallback()).isNull();
  }

  @ParameterizedTest
  @CsvSource({"IMPLICIT, 1", "IMPLICIT, 2", "IMPLICIT_DPDK, 1", "IMPLICIT_DPDK, 2"})
  void noByteIsWrittenBeforeMemoryIsThere(Variant variant, int queuePairs) {
    var ledger = DescriptorLedger.tracing();
    try (var directory = SocketDirectory.create();
        var hosts =
            new Hosts(
                options(variant, queuePairs),
                directory.path(),
                ledger,
                GuestSettings.KNOWN_FEATURES)) {
      assertThat(hosts.presetup(variant.mode()))
          .hasSize(DEVICES)
          .allSatisfy(r -> assertThat(r.note()).isNull())
          .allMatch(r -> r.done());
      hosts.signalTarget();
      // testpmd polls all its ports in turn: once the source's have moved some hundred packets
      // more, it has looked at the destination's as often.
      List<Long> before = answered(hosts);
      assertThat(
              Traffic.await(
                  () -> answered(hosts).getFirst() >= before.getFirst() + 200,
                  Duration.ofSeconds(10)))
          .isTrue();

      assertThat(hosts.firstWritten()).as("the first byte that is not zero").isEqualTo(-1);
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static List<Long> answered(Hosts hosts) {
    return hosts.traffic.outbound().stream().map(PingStats::answered).toList();
  }
}
