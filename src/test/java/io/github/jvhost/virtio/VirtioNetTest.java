package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class VirtioNetTest {

  private static VirtioNet fourPairs() {
    return VirtioNet.builder("net0").maxQueuePairs(4).build();
  }

  private static VirtioNet live(VirtioNet device) {
    device.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    device.setDriverFeatures(device.deviceFeatures());
    device.setStatus(0xB);
    device.configureQueue(0, 256, 0x10000, 0x11000, 0x12000);
    device.configureQueue(1, 256, 0x20000, 0x21000, 0x22000);
    device.setStatus(DeviceStatus.RUNNING);
    return device;
  }

  @Test
  void theConfigSpace() {
    VirtioNet device =
        VirtioNet.builder("net0")
            .mac(MacAddress.parse("02:aa:bb:cc:dd:ee"))
            .mtu(9000)
            .maxQueuePairs(4)
            .build();

    assertThat(device.readConfig(0, 14))
        .containsExactly(2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 1, 0, 4, 0, 0x28, 0x23, 0, 0);
    assertThat(device.readConfig(10, 2)).containsExactly(0x28, 0x23);
    assertThat(device.readConfig(-1, 2)).containsExactly(0, 2);
    assertThat(device.readConfig(Integer.MAX_VALUE, 2)).containsExactly(0, 0);
    device.linkUp(false);
    assertThat(device.readConfig(6, 1)).containsExactly(0);
  }

  @Test
  void onlyWhatIsOfferedIsAgreedUpon() {
    VirtioNet device = fourPairs();
    device.setStatus(3);
    device.setDriverFeatures(device.deviceFeatures() | NetFeature.RSS.mask());
    device.setStatus(0xB);
    assertThat(device.status()).as("FEATURES_OK stays clear").isEqualTo(3);
    device.setStatus(DeviceStatus.RUNNING);
    assertThat(device.live()).isFalse();

    device.setDriverFeatures(device.deviceFeatures());
    device.setStatus(0xB);
    assertThat(device.status()).isEqualTo(0xB);
    device.setDriverFeatures(0);
    assertThat(device.driverFeatures()).as("too late").isEqualTo(device.deviceFeatures());
  }

  @Test
  void theSameFeaturesAgainLeaveWhatIsSetUp() {
    VirtioNet device = fourPairs();
    long features = device.deviceFeatures() & ~NetFeature.CTRL_VLAN.mask();
    device.setStatus(3);
    device.setDriverFeatures(features);
    device.configureQueue(7, 256, 0x10000, 0x11000, 0x12000);
    List<DeviceChange> changes = new ArrayList<>();
    device.onChange(changes::add);

    device.setDriverFeatures(features);
    device.setDriverFeatures(features | NetFeature.RSS.mask()); // not offered: no other agreement
    device.setDriverFeatures(features);

    assertThat(device.queue(7).isSetUp()).isTrue();
    assertThat(changes).isEmpty();
    device.setDriverFeatures(device.deviceFeatures());
    assertThat(device.queue(7).isSetUp()).as("the driver changed its mind").isFalse();
    assertThat(changes).containsExactly(DeviceChange.STATUS);
  }

  @Test
  void aFeatureOfTheControlQueueNeedsTheControlQueue() {
    VirtioNet device = fourPairs();
    device.setDriverFeatures(NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MQ));
    device.setStatus(0xB);
    assertThat(device.status()).isEqualTo(3);
  }

  @Test
  void theControlRingIsTheLast() {
    VirtioNet device = fourPairs();
    assertThat(device.controlQueue()).isEqualTo(2);
    assertThat(device.backEndQueuePairs()).isEqualTo(1);
    live(device);
    assertThat(device.controlQueue()).isEqualTo(8);
    assertThat(device.queueCount()).isEqualTo(9);
    assertThat(device.backEndQueuePairs()).isEqualTo(4);
    assertThat(device.currentQueuePairs()).isEqualTo(1);
    assertThat(device.queue(8).size()).isEqualTo(64);
  }

  @Test
  void aResetForgetsTheDriverAndKeepsTheHost() {
    VirtioNet device = live(fourPairs());
    device.mtu(4000);
    device.linkUp(false);
    device.setNextIndex(0, RingIndex.split(99));
    List<DeviceChange> changes = new ArrayList<>();
    device.onChange(changes::add);

    device.setStatus(0);

    assertThat(changes).containsExactly(DeviceChange.RESET);
    assertThat(device.driverFeatures()).isZero();
    assertThat(device.queueCount()).isEqualTo(3);
    assertThat(device.queue(0)).isEqualTo(new QueueState(256, 0, 0, 0, false, RingIndex.split(0)));
    assertThat(device.mtu()).isEqualTo(4000);
    assertThat(device.linkUp()).isFalse();
  }

  @Test
  void theBackEndLimitsOnlyItsOwnFeatures() {
    VirtioNet device = fourPairs();
    device.limitFeatures(NetFeature.VERSION_1.mask());

    assertThat(device.deviceFeatures())
        .isEqualTo(
            VirtioNetBuilder.DEFAULT_FEATURES
                & ~NetFeature.maskOf(
                    NetFeature.MTU, NetFeature.MRG_RXBUF, NetFeature.GUEST_ANNOUNCE));

    device.limitFeatures(-1L);
    assertThat(NetFeature.MQ.in(device.deviceFeatures())).as("another back end").isTrue();
  }

  @Test
  void whatTheDriverUsesCannotGo() {
    VirtioNet device = live(fourPairs());
    long before = device.deviceFeatures();

    assertThatThrownBy(() -> device.limitFeatures(NetFeature.VERSION_1.mask()))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageContaining("MTU|MRG_RXBUF|GUEST_ANNOUNCE|MQ");
    assertThat(device.deviceFeatures()).isEqualTo(before);
    assertThat(device.backEndFeatures())
        .isEqualTo(
            NetFeature.maskOf(
                NetFeature.VERSION_1,
                NetFeature.MTU,
                NetFeature.MRG_RXBUF,
                NetFeature.GUEST_ANNOUNCE,
                NetFeature.MQ));
  }

  @Test
  void aRingThatVirtioDoesNotAllowBreaksTheDevice() {
    int[] sizes = {0, -1, 3, 2048};
    for (int size : sizes) {
      VirtioNet device = live(fourPairs());
      device.configureQueue(2, size, 0x1000, 0x2000, 0x3000);
      assertThat(device.broken()).as("size %d", size).isTrue();
      assertThat(device.queue(2).isSetUp()).isFalse();
    }
    VirtioNet device = live(fourPairs());
    device.configureQueue(2, 16, 0x1008, 0x2000, 0x3000);
    assertThat(device.status()).isEqualTo(DeviceStatus.RUNNING | DeviceStatus.NEEDS_RESET);
    device.setStatus(DeviceStatus.RUNNING);
    assertThat(device.status()).as("only a reset clears it").isEqualTo(0x4F);
  }

  @Test
  void packedRingsStartWithTheirWrapCountersSet() {
    VirtioNet device =
        VirtioNet.builder("net0")
            .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask())
            .build();
    live(device);

    assertThat(device.queue(0).next()).isEqualTo(RingIndex.packed(0, true, 0, true));
    device.configureQueue(0, 100, 0x10000, 0x11000, 0x12000);
    assertThat(device.queue(0).size()).isEqualTo(100);
    assertThatThrownBy(() -> device.setNextIndex(0, RingIndex.split(1)))
        .isInstanceOf(IllegalArgumentException.class);
    device.setNextIndex(0, RingIndex.packed(17, false, 99, true));

    VirtioNet other = device.twin();
    other.restore(device.snapshot());
    assertThat(other.queue(0)).isEqualTo(device.queue(0));
    assertThat(other.snapshot()).isEqualTo(device.snapshot());
  }

  @Test
  void whereSplitRingsAreUsedThoughPackedAreOfferedTheIndexIsInBothPlaces() {
    VirtioNet device =
        VirtioNet.builder("net0")
            .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask())
            .build();
    device.setDriverFeatures(VirtioNetBuilder.DEFAULT_FEATURES);
    device.setStatus(0xB);
    device.configureQueue(0, 256, 0x10000, 0x11000, 0x12000);
    device.setNextIndex(0, RingIndex.split(40000));

    SavedQueue saved = device.snapshot().queue(0);

    // QEMU reads the later of the two.
    assertThat(saved.next()).isEqualTo(40000);
    assertThat(saved.packed().avail()).isEqualTo(40000);
  }

  @Test
  void theStatusRegisterHasEightBits() {
    VirtioNet device = live(fourPairs());

    device.setStatus(0x10F);
    assertThat(device.live()).as("nothing above them counts").isTrue();
    assertThat(device.status()).isEqualTo(DeviceStatus.RUNNING);

    device.setStatus(0x100);
    assertThat(device.status()).as("it was reset").isZero();
    assertThat(device.driverFeatures()).isZero();
    assertThat(device.queue(0).isSetUp()).isFalse();
  }

  @Test
  void aTwinHasWhatIsTheHostsAndNothingOfTheDrivers() {
    VirtioNet device = live(fourPairs());
    device.mtu(9000);
    device.linkUp(false);
    device.requestAnnounce();

    VirtioNet twin = device.twin();

    assertThat(twin.mtu()).isEqualTo(9000);
    assertThat(twin.linkUp()).isFalse();
    assertThat(twin.snapshot().net().status()).as("no announcement is asked for").isZero();
    assertThat(twin.status()).isZero();
    assertThat(twin.queue(0).isSetUp()).isFalse();

    device.linkUp(true);
    assertThat(device.twin().linkUp()).isTrue();
  }

  @Test
  void aSnapshotIsRestored() {
    VirtioNet source = live(fourPairs());
    source.setNextIndex(0, RingIndex.split(4711));
    source.linkUp(false);
    source.requestAnnounce();
    VirtioNet destination = source.twin();
    List<DeviceChange> changes = new ArrayList<>();
    destination.onChange(changes::add);

    destination.restore(source.snapshot());

    assertThat(destination.snapshot()).isEqualTo(source.snapshot());
    assertThat(destination.queue(0))
        .isEqualTo(new QueueState(256, 0x10000, 0x11000, 0x12000, true, RingIndex.split(4711)));
    assertThat(destination.queue(5).isSetUp()).isFalse();
    assertThat(changes).containsExactly(DeviceChange.RESTORED);
  }

  @Test
  void everyChangeCounts() {
    VirtioNet device = live(fourPairs());
    long before = device.changes();
    VirtioNetState state = device.snapshot();
    device.linkUp(true);
    device.mtu(device.mtu());
    device.setStatus(device.status());
    assertThat(device.changes()).as("nothing changed").isEqualTo(before);
    assertThat(device.snapshot()).isEqualTo(state);
    device.setNextIndex(1, RingIndex.split(5));
    assertThat(device.changes()).isGreaterThan(before);
  }

  @Test
  void aStateThatDoesNotFitIsRefusedAndChangesNothing() {
    VirtioNetState state = live(fourPairs()).snapshot();
    long mq = NetFeature.MQ.mask();

    refused(VirtioNet.builder("net0").maxQueuePairs(2).build(), state, "4 queue pairs");
    refused(VirtioNet.builder("net0").build(), state, "4 queue pairs");
    VirtioNet noMq = fourPairs();
    noMq.limitFeatures(~mq);
    refused(noMq, state, "does not offer: MQ");
    refused(
        VirtioNet.builder("net0")
            .maxQueuePairs(4)
            .transport(TransportState.Mmio.create(false))
            .build(),
        state,
        "modern mmio, this device is legacy mmio");
    VirtioNetState tooFewRings =
        new VirtioNetState(
            state.offer(),
            state.transport(),
            state.common(),
            state.net(),
            state.queues().subList(0, 3));
    refused(fourPairs(), tooFewRings, "3 rings where its features make 9");
    VirtioNetState withoutMq =
        new VirtioNetState(
            state.offer(),
            state.transport(),
            state.common().withFeatures(state.common().features() & ~mq, 0),
            fourPairsInUse(),
            state.queues().subList(0, 3));
    refused(fourPairs(), withoutMq, "4 queue pairs in use where its features make 3 rings");
  }

  private static NetState fourPairsInUse() {
    return fourPairs().snapshot().net().withQueuePairs(4).withGuestOffloads(0);
  }

  private static void refused(VirtioNet device, VirtioNetState state, String why) {
    long before = device.changes();
    assertThatThrownBy(() -> device.restore(state))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageStartingWith("restoring device net0: the saved state has ")
        .hasMessageContaining(why);
    assertThat(device.changes()).isEqualTo(before);
    assertThat(device.status()).isZero();
  }

  @Test
  void aLegacyDriverSetsItsMacThroughTheConfigSpace() {
    VirtioNet device = fourPairs();
    device.setDriverFeatures(NetFeature.maskOf(NetFeature.MAC, NetFeature.STATUS));
    device.writeConfig(4, new byte[] {7, 8, 9});
    assertThat(device.mac()).hasToString("02:00:00:00:07:08");

    live(device);
    device.writeConfig(0, new byte[] {0, 0, 0, 0, 0, 0});
    assertThat(device.mac()).as("a modern driver does not").hasToString("02:00:00:00:07:08");
  }

  @Test
  void whatIsNotEmulatedCannotBeOffered() {
    for (NetFeature feature :
        List.of(
            NetFeature.SR_IOV,
            NetFeature.NOTIFICATION_DATA,
            NetFeature.NOTIF_CONFIG_DATA,
            NetFeature.HASH_REPORT,
            NetFeature.RSS)) {
      assertThatThrownBy(() -> VirtioNet.builder("x").deviceFeatures(feature.mask()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("features that the device does not have: " + feature);
    }
    assertThatThrownBy(() -> VirtioNet.builder("x").maxQueuePairs(512))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> VirtioNet.builder("x").mtu(67))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void whatTheDriverWroteToTheTransportTravels() {
    VirtioNet source = VirtioNet.builder("net0").build();
    long before = source.changes();
    source.transport(new TransportState.Mmio(true, 1, 1, 0, 99));
    source.selectQueue(2);
    source.selectQueue(5000);
    source.interruptStatus(0x102);
    assertThat(source.changes()).isEqualTo(before + 3);
    assertThat(source.transport().proxyFeatures()).isZero();

    VirtioNet target = VirtioNet.builder("net0").build();
    target.restore(source.snapshot());
    assertThat(target.transport()).isEqualTo(new TransportState.Mmio(true, 1, 1, 0, 0));
    assertThat(target.selectedQueue()).isEqualTo(2);
    assertThat(target.interruptStatus()).isEqualTo(2);

    target.setStatus(0);
    assertThat(target.transport()).isEqualTo(TransportState.Mmio.create(true));
    assertThat(target.selectedQueue()).isZero();
    assertThat(target.interruptStatus()).isZero();
    TransportState legacy = TransportState.Mmio.create(false);
    assertThatThrownBy(() -> target.transport(legacy)).hasMessageContaining("legacy mmio");
  }
}
