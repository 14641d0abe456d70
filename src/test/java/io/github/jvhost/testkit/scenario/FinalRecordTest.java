package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNet;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What arrives of a guest that has moved its ring indexes only, and of one that changed more. */
@Timeout(120)
class FinalRecordTest {

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** What a migration came to. */
  private record Arrival(DestinationReport report, VirtioNet model) {}

  private Arrival migrate(BiConsumer<Phase, VhostNet> atTheSource) throws Exception {
    return migrate(PresetupMode.IMPLICIT, atTheSource);
  }

  private Arrival migrate(PresetupMode mode, BiConsumer<Phase, VhostNet> atTheSource)
      throws Exception {
    try (var m = new StillMigration(ledger)) {
      var arriving = m.arrive(mode);
      VhostNet source = m.left();
      m.departure(true, phase -> atTheSource.accept(phase, source)).run();
      DestinationReport report = arriving.get(30, TimeUnit.SECONDS);
      VirtioNet model = m.arrived().model();
      assertThat(model.queue(0).next()).isEqualTo(source.model().queue(0).next());
      return new Arrival(report, model);
    }
  }

  @Test
  void theDeviceGoesOnWhereItStopped() throws Exception {
    Arrival arrival = migrate((_, _) -> {});
    assertThat(arrival.report().rehearsal().windows()).isPositive();
    assertThat(arrival.report().starts().getFirst().fallback()).isNull();
  }

  @Test
  void aWindowWithoutPresetupIsRehearsedToo() throws Exception {
    Arrival arrival = migrate(PresetupMode.OFF, (_, _) -> {});
    assertThat(arrival.report().rehearsal().windows()).isPositive();
    assertThat(arrival.report().starts().getFirst().fallback()).isNull();
  }

  @Test
  void aDeviceThatChangedArrivesAsItIs() throws Exception {
    Arrival arrival =
        migrate((phase, device) -> {
          if (phase == Phase.STOP) { // after the last early record, and before the guest stops
            device.access(() -> device.model().mtu(1400));
          }
        });
    assertThat(arrival.report().starts().getFirst().plan().describe()).contains("mtu");
    assertThat(arrival.model().mtu()).isEqualTo(1400);
  }
}
