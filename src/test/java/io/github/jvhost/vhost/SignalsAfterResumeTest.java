package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.Links;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A migration's guest resumes before its rings are signalled: a device of 256 rings takes 512
 * system calls for that. The back ends are maps, which read no eventfd, so each signal is counted.
 */
@Timeout(60)
class SignalsAfterResumeTest {
  private static final List<Long> NONE = Collections.nCopies(2 * Rig.RINGS, 0L);
  private static final List<Long> ONE_EACH = Collections.nCopies(2 * Rig.RINGS, 1L);

  @TempDir private Path dir;

  /** What was signalled since the last call: kick and call of each ring. */
  private static List<Long> signals(List<RingEventfds> rings) {
    List<Long> counts = new ArrayList<>();
    for (RingEventfds ring : rings) {
      counts.add(ring.kick().drain());
      counts.add(ring.call().drain());
    }
    return counts;
  }

  /** At its resume it looks at what was signalled. */
  private static final class Vm implements VmControl {
    private final List<RingEventfds> rings;
    private List<Long> atResume = List.of();

    Vm(List<RingEventfds> rings) {
      this.rings = rings;
    }

    @Override
    public void pause() {}

    @Override
    public void resume() {
      atResume = signals(rings);
    }
  }

  private static VhostNet device(Rig rig, int host) {
    var capabilities =
        new BackEndCapabilities(
            (NetFeature.BACK_END & ~NetFeature.RING_PACKED.mask())
                | VhostFeature.PROTOCOL_FEATURES
                | VhostFeature.LOG_ALL,
            ProtocolFeature.maskOf(
                ProtocolFeature.MQ,
                ProtocolFeature.MTU,
                ProtocolFeature.STATUS,
                ProtocolFeature.LOG_SHMFD),
            Rig.PAIRS,
            Dialect.UPSTREAM,
            BackEndProfile.GENERIC);
    return VhostNet.over(
        Rig.model(0).build(),
        new DeviceTranslations("net0", DeviceMemory.of(rig.memory)),
        new EventfdTable(rig.eventfds.get(host)),
        rig.options(0, Duration.ofSeconds(10)),
        () -> new MemoryCarrier(capabilities));
  }

  @Test
  void eachKickAndCallIsSignalledOnceAndBehindTheGuestsResume() throws Exception {
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
        Links links = Links.connect(dir.resolve("m"))) {
      rig.addBackEnd(Faults.none()); // for its eventfds, as the next; nobody connects to them
      rig.addBackEnd(Faults.none());
      VhostNet source = device(rig, 0);
      rig.nets.add(source);
      rig.driveAll();
      source.start();
      VhostNet target = device(rig, 1);
      rig.nets.add(target);
      var there = new Vm(rig.eventfds.get(1));
      MigrationDestination destination =
          MigrationDestination.builder()
              .devices(List.of(target))
              .ram(new InPlaceTarget(rig.memory))
              .vm(there)
              .link(links.destination())
              .presetup(PresetupMode.IMPLICIT)
              .build();
      var arriving = new FutureTask<>(destination::run);
      Thread.ofPlatform().daemon().start(arriving);

      MigrationSource.builder(rig.ledger)
          .devices(List.of(source))
          .ram(new PreCopySource(rig.memory, 0, Runnable::run))
          .vm(new Vm(rig.eventfds.getFirst()))
          .link(links.source())
          .build()
          .run();

      assertThat(arriving.get(20, TimeUnit.SECONDS).starts()).allMatch(StartResult::running);
      assertThat(there.atResume).as("before the guest runs").isEqualTo(NONE);
      assertThat(signals(there.rings)).as("afterwards").isEqualTo(ONE_EACH);
    }
  }
}
