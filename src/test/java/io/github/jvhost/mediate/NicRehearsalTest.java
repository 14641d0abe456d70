package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.FlightRecording;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NicRehearsalTest {
  @ParameterizedTest
  @EnumSource(names = {"GENERIC", "DPDK"})
  void itGoesThroughWindowsAndLeavesNothing(BackEndProfile profile) {
    DescriptorLedger ledger = DescriptorLedger.tracing();

    try (FlightRecording recording = FlightRecording.start()) {
      assertThat(NicRehearsal.run(profile, Duration.ofMillis(20), ledger)).isPositive();

      assertThat(recording.events("Message", NicRehearsal.NAME)).isEmpty();
      assertThat(recording.events("Plan", NicRehearsal.NAME)).isEmpty();
      assertThat(recording.events("Mediation", NicRehearsal.NAME)).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
