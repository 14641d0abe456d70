package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A driver that puts its rings where no memory is: nothing of that is thrown at the VMM, and its
 * device migrates like any other that needs a reset.
 */
class GuestNonsenseTest {
  private static final BackEndOffer DPDK = BackEndOffer.of(Personality.DPDK);
  private static final long NOWHERE = 1L << 40;

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource({
    "0x10000000000, 0x20000, 0x30000", // each part outside
    "0x10000, 0x10000000000, 0x30000",
    "0x10000, 0x20000, 0x10000000000",
    "0x3ffff0, 0x20000, 0x30000", // begins inside, goes on beyond the end
    "0x10000, 0x3ffffe, 0x30000",
    "0x10000, 0x20000, 0x3ffffc",
    "0x7ffffffffffffff0, 0x20000, 0x30000", // would wrap around
    "0x10000, 0x7ffffffffffffffe, 0x7ffffffffffffffc",
    "-16, -2, -4",
  })
  void ringsOutsideOfMemoryLeaveADeviceThatNeedsAReset(String desc, String avail, String used) {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      VhostNet net = rig.net();
      VirtioNet model = net.model();
      Rig.negotiate(model);
      net.access(() ->
          model.configureQueue(0, 256, Long.decode(desc), Long.decode(avail), Long.decode(used)));
      assertThat(model.broken()).as("it matters only once the driver is ready").isFalse();

      net.access(() -> model.setStatus(0xf));

      assertThat(model.broken()).isTrue();
      assertThat(model.status() & DeviceStatus.NEEDS_RESET).isNotZero();
      assertThat(model.whyBroken().orElseThrow()).contains("ring 0 lies outside of guest memory");
      assertThat(net.running()).isFalse();
      net.linkUp(false);
      net.linkUp(true);
      net.access(() -> model.setStatus(0));
      net.access(() -> Rig.drive(net, 0));
      assertThat(net.running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void withItsLinkDownItIsNotedAllTheSame() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.net().linkUp(false);
      rig.net()
          .access(() -> {
            Rig.negotiate(rig.net().model());
            rig.net().model().configureQueue(0, 256, NOWHERE, NOWHERE, NOWHERE);
            rig.net().model().setStatus(0xf);
          });
      assertThat(rig.net().model().broken()).isTrue();
    }
  }

  @Test
  void aRingThatIsMovedOutOfMemoryWhileItRunsStopsTheDevice() {
    for (boolean packed : List.of(false, true)) {
      try (Rig rig = started(packed)) {
        VirtioNet model = rig.net().model();
        rig.net().access(() -> model.configureQueue(1, 256, NOWHERE, NOWHERE, NOWHERE));

        assertThat(model.broken()).isTrue();
        assertThat(rig.net().running()).isFalse();
        assertThat(rig.backEnd().isRunning()).isFalse();
        rig.net().migration().requireRingPositions();

        rig.net().access(() -> model.setStatus(0));
        rig.net().access(() -> Rig.drive(rig.net(), 0));
        assertThat(rig.net().running()).isTrue();
        rig.noRuleWasBroken();
      }
    }
  }

  @Test
  void aRingThatComesBackOutsideOfMemoryAfterItsResetStopsTheDevice() {
    BackEndOffer libvhost = BackEndOffer.of(Personality.LIBVHOST_USER);
    BackEndOffer offer = libvhost.withFeatures(libvhost.features() | NetFeature.RING_RESET.mask());
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.LIBVHOST_USER)) {
      VirtioNet model = rig.net().model();
      rig.driveAll();
      rig.net().start();
      assertThat(NetFeature.RING_RESET.in(model.driverFeatures())).isTrue();

      rig.net()
          .access(() -> {
            model.resetQueue(2);
            model.configureQueue(2, 256, NOWHERE, NOWHERE, NOWHERE);
          });

      assertThat(model.broken()).isTrue();
      assertThat(rig.backEnd().isRunning()).isFalse();
    }
  }

  @Test
  void whereAPackedRingIsLeavesItsEndNeverBehind() {
    try (Rig rig = new Rig(dir, 1, packedOffer(), BackEndProfile.DPDK)) {
      rig.driveAll();
      VirtioNet model = rig.net().model();
      model.setNextIndex(1, RingIndex.packed(77, false, 77, false));

      rig.net().access(() -> model.configureQueue(1, 4, 0x30000, 0x32000, 0x33000));

      VirtioNet there = model.twin();
      there.restore(rig.net().snapshot()); // which refuses a place beyond the ring's end
      assertThat(there.queue(1).next()).isEqualTo(RingIndex.start(true));
    }
  }

  @Test
  void aBackEndThatIsGoneIsNoReasonToThrowEither() throws InterruptedException {
    try (Rig rig = started(false)) {
      rig.backEnd().hangUp();
      assertThat(rig.backEnd().record().await(r -> r.disconnections() == 1, Rig.soon())).isTrue();

      rig.net().model().configureQueue(0, 256, NOWHERE, NOWHERE, NOWHERE);
      assertThat(rig.net().reconnect().failure()).isNull();

      assertThat(rig.net().model().broken()).isTrue();
      assertThat(rig.net().stop().failure()).isNull();
    }
  }

  @Test
  void itsMigrationAndThoseOfTheOtherDevicesGoOn() {
    try (Rig rig = new Rig(dir, 2, DPDK, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.nets.forEach(net -> assertThat(net.start().complete()).isTrue());
      VirtioNet model = rig.net().model();
      rig.net().access(() -> model.configureQueue(0, 256, NOWHERE, NOWHERE, NOWHERE));

      assertThat(VhostNetGroup.stop(rig.nets, StartOrder.PLANNED)).allMatch(Outcome::complete);
      VirtioNetState saved = rig.net().snapshot();
      rig.net().restore(saved);
      List<StartResult> started = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(started).allMatch(StartResult::running);
      assertThat(rig.net().running()).isFalse();
      assertThat(rig.net().model().broken()).isTrue();
      assertThat(rig.nets.getLast().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  /** A jvhost never saves such a state: whoever does is told, and its guest goes on there. */
  @Test
  void aLiveStateWhoseRingsLieOutsideOfMemoryFailsTheStartOfAMigration() {
    try (Rig rig = new Rig(dir, 2, DPDK, BackEndProfile.GENERIC)) {
      rig.driveAll();
      VirtioNet foreign = rig.net().model().twin();
      Rig.negotiate(foreign);
      foreign.configureQueue(0, 256, NOWHERE, NOWHERE, NOWHERE);
      foreign.setStatus(0xf);
      VirtioNetState state = foreign.snapshot();

      assertThat(rig.net().migration().prepareStart(state)).isFalse();
      var early = new VhostNetGroup.EarlyState(rig.net(), state, 1);
      assertThat(VhostNetGroup.presetup(PresetupMode.IMPLICIT, List.of(early), () -> false))
          .singleElement()
          .extracting(PresetupResult::note)
          .asString()
          .contains("ring 0 lies outside of guest memory");

      rig.net().restore(state);
      assertThatThrownBy(() -> VhostNetGroup.start(rig.nets, StartOrder.PLANNED))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("net0: ring 0 lies outside of guest memory")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.GIVE_UP);
      rig.net().access(() -> {});
      assertThat(rig.net().model().broken()).as("what its driver does never throws").isTrue();
    }
  }

  private Rig started(boolean packed) {
    Rig rig = new Rig(dir, 1, packed ? packedOffer() : DPDK, BackEndProfile.DPDK);
    rig.driveAll();
    rig.net().start();
    return rig;
  }

  private static BackEndOffer packedOffer() {
    return DPDK.withFeatures(DPDK.features() | NetFeature.RING_PACKED.mask());
  }
}
