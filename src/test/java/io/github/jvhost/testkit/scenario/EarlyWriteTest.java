package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.vhost.plan.BackEndProfile;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Between presetup and the arrival of RAM no back end touches guest memory. */
@Timeout(60)
class EarlyWriteTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @ParameterizedTest
  @CsvSource({
    "IMPLICIT, GENERIC, GENERIC, 1",
    "IMPLICIT, GENERIC, GENERIC, 4",
    "IMPLICIT, DPDK, GENERIC, 1",
    "IMPLICIT, LIBVHOST_USER, GENERIC, 1",
    "IMPLICIT, RUST_VMM, GENERIC, 1",
    "IMPLICIT, CROSVM, GENERIC, 1",
    "IMPLICIT, VPP, GENERIC, 1",
    "IMPLICIT, VFE, GENERIC, 1",
    "IMPLICIT, LIBVHOST_USER, LIBVHOST_USER, 1",
    "IMPLICIT, RUST_VMM, RUST_VMM, 1",
    "IMPLICIT, VFE, NVIDIA_VFE, 4",
    "IMPLICIT_DPDK, DPDK, DPDK, 1",
    "IMPLICIT_DPDK, DPDK, DPDK, 4",
    "EXPLICIT, GENERIC, GENERIC, 1",
    "EXPLICIT, GENERIC, GENERIC, 4",
    "EXPLICIT, VFE, GENERIC, 1",
    "EXPLICIT, VFE, NVIDIA_VFE, 4",
  })
  void noByteIsWrittenBeforeMemoryIsThere(
      Variant variant, Personality personality, BackEndProfile profile, int queuePairs) {
    ScenarioOptions options = Runs.options(variant, queuePairs).with(null, personality, profile);
    try (var directory = SocketDirectory.create();
        var hosts = new Hosts(options, directory.path(), ledger, GuestSettings.KNOWN_FEATURES)) {
      BackEnds.Mock mocks = (BackEnds.Mock) hosts.backEnds;
      for (int i = 0; i < options.devices(); i++) {
        mocks.of(BackEnds.Side.DESTINATION, i).guestMemoryComplete(false);
      }

      assertThat(hosts.presetup(variant.mode()))
          .hasSize(options.devices())
          .allSatisfy(r -> assertThat(r.note()).isNull())
          .allMatch(r -> r.done());
      // Whatever waits for a kick has got one now; frames arrive all the time.
      hosts.signalTarget();

      for (int i = 0; i < options.devices(); i++) {
        MockBackEnd backEnd = mocks.of(BackEnds.Side.DESTINATION, i);
        assertThat(backEnd.isRunning()).as("a ring of %s runs", backEnd.socket()).isFalse();
        assertThat(backEnd.record().guestWrites()).isZero();
        assertThat(backEnd.record().violations()).isEmpty();
        assertThat(backEnd.record().messages()).isNotEmpty();
      }
      assertThat(hosts.firstWritten()).as("the first byte that is not zero").isEqualTo(-1);
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
