package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.RetiredRegion;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What changes on a device at run time, and what of it a back end on a real socket is told. */
class LiveChangesTest {
  @TempDir private Path dir;

  private static BackEndOffer offer() {
    return BackEndOffer.of(Personality.GENERIC);
  }

  private Rig rig(BackEndOffer offer, ProtocolFeature... wanted) {
    Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
    rig.addBackEnd(Faults.none());
    VhostDeviceOptions options = rig.options(0, Duration.ofSeconds(10));
    for (ProtocolFeature feature : wanted) {
      options = options.with(feature);
    }
    rig.nets.add(rig.connect(0, options));
    return rig;
  }

  @Test
  void memoryIsPluggedAndUnpluggedRegionByRegion() {
    try (Rig rig = rig(offer().with(ProtocolFeature.CONFIGURE_MEM_SLOTS))) {
      rig.driveAll();
      rig.net().start();
      int mark = rig.backEnd().record().mark();
      rig.memory.addRegion("dimm", 16 << 20, 4 << 20);
      rig.net().refresh();
      assertThat(rig.backEnd().record().names(mark)).startsWith("ADD_MEM_REG");
      mark = rig.backEnd().record().mark();
      try (RetiredRegion dimm = rig.memory.retireRegion("dimm")) {
        rig.net().refresh();
        assertThat(dimm.region().size()).isEqualTo(4 << 20);
      }
      assertThat(rig.backEnd().record().names(mark)).startsWith("REM_MEM_REG");
      assertThat(rig.backEnd().record().count(FrontEndRequest.SET_MEM_TABLE)).isZero();
      assertThat(rig.net().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void theLogGrowsBeforeTheMemoryThatItHasToCover() {
    try (Rig rig = rig(offer().with(ProtocolFeature.CONFIGURE_MEM_SLOTS))) {
      rig.driveAll();
      rig.net().start();
      DirtyLog small = DirtyLog.create(rig.ledger, rig.memory.table());
      rig.net().migration().logTo(small);
      rig.memory.addRegion("dimm", 1L << 30, 4 << 20);
      int mark = rig.backEnd().record().mark();
      assertThatThrownBy(rig.net()::refresh)
          .hasMessageContaining("log to one that was made for all");
      assertThatThrownBy(() -> rig.net().migration().logTo(small))
          .hasMessageContaining("the dirty log has");
      assertThat(rig.net().running()).isTrue();
      assertThat(rig.backEnd().record().names(mark)).as("nothing is sent").isEmpty();
      DirtyLog large = DirtyLog.create(rig.ledger, rig.memory.table());
      rig.net().migration().logTo(large);
      assertThat(rig.backEnd().record().names(mark))
          .containsSubsequence("SET_LOG_BASE", "ADD_MEM_REG");
      small.collectInto(new DirtyBitmap(rig.memory.table().highestAddress()));
      small.close();
      rig.net().migration().logTo(null);
      large.close();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void fiveHundredAndTwelveRegions() {
    BackEndOffer many = offer().with(ProtocolFeature.CONFIGURE_MEM_SLOTS).withMemorySlots(512);
    try (Rig rig = rig(many)) {
      for (int i = 1; i < 512; i++) {
        rig.memory.addRegion("dimm" + i, (1L << 30) + i * 0x10000L, 0x10000);
      }
      rig.driveAll();
      rig.net().start();
      assertThat(rig.backEnd().record().count(FrontEndRequest.ADD_MEM_REG)).isEqualTo(512);
      List<RetiredRegion> gone = new ArrayList<>();
      for (int i = 1; i < 512; i++) {
        gone.add(rig.memory.retireRegion("dimm" + i));
      }
      rig.net().refresh();
      gone.forEach(RetiredRegion::close);
      assertThat(rig.backEnd().record().count(FrontEndRequest.REM_MEM_REG)).isEqualTo(511);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void addressesAreTheGuestsWhereThatWasAgreedUpon() {
    try (Rig rig =
        rig(offer().with(ProtocolFeature.GPA_ADDRESSES), ProtocolFeature.GPA_ADDRESSES)) {
      rig.driveAll();
      rig.net().start();
      assertThat(rig.backEnd().ring(0).orElseThrow().address())
          .extracting(VringAddress::descriptor)
          .isEqualTo(rig.net().model().queue(0).desc());
      assertThat(rig.backEnd().isRunning()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aGuestsResetResetsTheBackEnd() {
    BackEndOffer resets =
        offer().with(ProtocolFeature.RESET_DEVICE).with(ProtocolFeature.INFLIGHT_SHMFD);
    try (Rig rig = rig(resets)) {
      rig.driveAll();
      rig.net().start();
      int mark = rig.backEnd().record().mark();
      rig.net().access(() -> rig.net().model().setStatus(0));
      assertThat(rig.backEnd().record().names(mark))
          .containsExactly(
              "GET_VRING_BASE",
              "GET_VRING_BASE",
              "GET_VRING_BASE",
              "GET_VRING_BASE",
              "RESET_DEVICE");
      rig.net().access(() -> Rig.drive(rig.net(), 0));
      assertThat(rig.backEnd().isRunning()).isTrue();
      assertThat(rig.backEnd().record().count(FrontEndRequest.GET_INFLIGHT_FD))
          .as("what the former driver had in flight is no business of the next one")
          .isEqualTo(2);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void theInflightRegionIsKeptForTheNextBackEnd() {
    try (Rig rig = rig(offer().with(ProtocolFeature.INFLIGHT_SHMFD))) {
      rig.driveAll();
      rig.net().start();
      rig.net().stop();
      rig.net().start();
      rig.backEnd().hangUp();
      rig.net().reconnect().orThrow();
      assertThat(rig.backEnd().record().count(FrontEndRequest.GET_INFLIGHT_FD)).isEqualTo(1);
      assertThat(rig.backEnd().record().count(FrontEndRequest.SET_INFLIGHT_FD))
          .isGreaterThanOrEqualTo(2);
      assertThat(rig.backEnd().isRunning()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aFailedFirstStartDoesNotCostTheInflightRegion() {
    BackEndOffer packed =
        offer()
            .with(ProtocolFeature.INFLIGHT_SHMFD)
            .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
    try (Rig rig = new Rig(dir, 1, packed, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.backEnd()
          .arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Faults.Wrong.Refuse()));
      assertThatThrownBy(rig.net()::start).hasMessageContaining("memory table");

      rig.net().reconnect().orThrow();
      assertThat(rig.backEnd().record().count(FrontEndRequest.SET_INFLIGHT_FD)).isPositive();
      rig.packedUsed(0, 0);
      rig.backEnd().hangUp();
      // Only the region can say where a packed ring was: nobody had kept one before.
      assertThatCode(() -> rig.net().reconnect().orThrow()).doesNotThrowAnyException();
      assertThat(rig.net().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void oneRingsResetIsWithheldWhereItWouldStopAllOfThem() {
    BackEndOffer offers =
        offer().withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_RESET.mask());
    try (Rig rig = rig(offers)) {
      assertThat(NetFeature.RING_RESET.in(rig.net().model().deviceFeatures())).isFalse();
    }
  }

  @Test
  void oneRingIsResetWhileTheOthersRunOn() {
    BackEndOffer offers =
        BackEndOffer.of(Personality.LIBVHOST_USER)
            .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_RESET.mask());
    try (Rig rig = new Rig(dir, 1, offers, BackEndProfile.LIBVHOST_USER)) {
      rig.driveAll();
      rig.net().start();
      int mark = rig.backEnd().record().mark();
      rig.net()
          .access(() -> {
            // The driver may do both within one access: the back end hears of the first, too.
            assertThat(rig.net().model().resetQueue(2)).isTrue();
            Rig.setUp(rig.net().model(), 0, 2);
          });
      assertThat(rig.backEnd().record().names(mark))
          .startsWith("GET_VRING_BASE", "GET_FEATURES")
          .containsOnlyOnce("GET_VRING_BASE")
          .containsOnlyOnce("SET_VRING_KICK");
      assertThat(rig.backEnd().ring(2).orElseThrow().started()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void whatABackEndLeavesInFlightAsItStopsIsDoneAgain() {
    BackEndOffer leaves = BackEndOffer.of(Personality.LIBVHOST_USER);
    try (Rig rig = new Rig(dir, 1, leaves, BackEndProfile.LIBVHOST_USER)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.net().start();
      rig.used(0, 2, 77); // of what it took it has finished so much, and never will finish the rest
      MemoryRegion ram = rig.memory.table().regions().getFirst();
      try (OwnedDescriptor file = ram.file().duplicate();
          RetiredRegion before = rig.memory.retireRegion("ram")) {
        // The same memory in another region: rings in it have to stop and go on.
        rig.memory.addRegion("ram again", 0, before.region().size(), file, 0);
        rig.net().refresh();
      }
      assertThat(rig.backEnd().ring(2).orElseThrow().base()).isEqualTo(77);
      assertThat(rig.net().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void ringsOfALegacyGuestInTheOtherByteOrderAreToldSo() {
    BackEndOffer cross = offer().with(ProtocolFeature.CROSS_ENDIAN);
    try (Rig rig = new Rig(dir, 0, cross, BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none());
      VirtioNetBuilder legacy =
          Rig.model(0)
              .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES & ~NetFeature.VERSION_1.mask())
              .transport(TransportState.Mmio.create(false))
              .legacyBigEndian(true);
      rig.nets.add(
          rig.connect(
              0,
              legacy.build(),
              rig.options(0, Duration.ofSeconds(10)).with(ProtocolFeature.CROSS_ENDIAN)));
      rig.net().model().setStatus(3);
      rig.net().model().setDriverFeatures(rig.net().model().deviceFeatures());
      for (int ring = 0; ring < Rig.RINGS; ring++) {
        Rig.setUp(rig.net().model(), 0, ring);
      }
      rig.net().model().setStatus(7);
      rig.net().start();
      assertThat(rig.backEnd().isBigEndian(0)).isTrue();
      assertThat(rig.backEnd().isBigEndian(3)).isTrue();
      rig.noRuleWasBroken();
    }
  }
}
