package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.OpenDescriptors;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nothing stays open, however often a device comes and goes. */
class ManyCyclesTest {
  private static final int CYCLES = 1000;
  private static final List<PresetupMode> MODES =
      List.of(PresetupMode.OFF, PresetupMode.EXPLICIT, PresetupMode.IMPLICIT);

  @TempDir private Path dir;

  @Test
  void aThousandCyclesLeaveNoDescriptorBehind() throws InterruptedException {
    BackEndOffer offer = BackEndOffer.of(Personality.VFE).withDialect(Configs.WITH_PRESETUP);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      rig.net().close();
      awaitDisconnections(rig, 1);
      int ledger = rig.ledger.openCount();
      int process = OpenDescriptors.count();

      for (int i = 0; i < CYCLES; i++) {
        VhostNet net = rig.connect(0, Duration.ofSeconds(10));
        rig.nets.set(0, net);
        Rig.drive(net, 0);
        PresetupMode mode = MODES.get(i % MODES.size());
        assertThat(rig.presetup(mode)).allMatch(r -> r.done() == (mode != PresetupMode.OFF));
        boolean cancelled = i % 4 == 0;
        if (!cancelled) {
          net.start();
          assertThat(net.stop().complete()).isTrue();
        }
        net.close();
      }

      awaitDisconnections(rig, 1 + CYCLES);
      assertThat(rig.ledger.openCount()).as("%s", rig.ledger.describeOpen()).isEqualTo(ledger);
      assertThat(OpenDescriptors.count())
          .as("%s", OpenDescriptors.list())
          .isLessThanOrEqualTo(process);
      rig.noRuleWasBroken();
    }
  }

  private static void awaitDisconnections(Rig rig, int count) throws InterruptedException {
    assertThat(rig.backEnd().record().await(r -> r.disconnections() == count, Rig.soon()))
        .as("%d of %d", rig.backEnd().record().disconnections(), count)
        .isTrue();
  }
}
