package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** The registers of virtio-mmio, version 2 (virtio 1.2, 4.2). */
class VirtioMmioTest {
  private static final long ALL = VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.RING_RESET.mask();

  private final MmioGuest guest =
      new MmioGuest(VirtioNet.builder("net0").deviceFeatures(ALL).build());

  /** Up to FEATURES_OK. */
  private void negotiate() {
    guest.write(0x70, 3);
    guest.acknowledge(ALL);
    guest.write(0x70, 0xb);
  }

  private void setUp(int ring) {
    guest.write(0x30, ring);
    guest.write(0x38, 64);
    guest.write(0x80, 0x10000);
    guest.write(0x84, 1);
    guest.write(0x90, 0x11000);
    guest.write(0x94, 1);
    guest.write(0xa0, 0x12000);
    guest.write(0xa4, 1);
    guest.write(0x44, 1);
  }

  @Test
  void aDriverFindsANetworkCard() {
    assertThat(guest.readBytes(0, 4)).isEqualTo(new byte[] {'v', 'i', 'r', 't'});
    assertThat(guest.read(0x04)).isEqualTo(2);
    assertThat(guest.read(0x08)).isEqualTo(1);
    assertThat(guest.readBytes(0x100, 6)).containsExactly(2, 0, 0, 0, 0, 1);
    assertThat(guest.read(0xb0) & guest.read(0xb4)).as("no shared memory").isEqualTo(-1);
    guest.write(0x30, 3);
    assertThat(guest.read(0x34)).as("there is no fourth ring").isZero();
  }

  @Test
  void featuresBeyondTheFirst64AreNeitherOfferedNorTaken() {
    guest.write(0x70, 3);
    guest.acknowledge(ALL);
    for (int half : new int[] {2, 3, -1}) {
      guest.write(0x14, half);
      assertThat(guest.read(0x10)).isZero();
      guest.write(0x24, half);
      guest.write(0x20, 0);
    }
    assertThat(guest.model.driverFeatures()).isEqualTo(ALL);
  }

  @Test
  void anAccessOfAnotherSizeOrPlaceReadsAsZeroAndChangesNothing() {
    negotiate();
    VirtioNetState before = guest.model.snapshot();
    long[] wrong = {-4, -1, 1, 0x6e, 0x71, 0xd0, 0xf8, 0x200, 1L << 32 | 0x70, Long.MIN_VALUE};
    for (long offset : wrong) {
      guest.write(offset, 0);
      assertThat(guest.read(offset)).as("%x", offset).isZero();
    }
    for (int length : new int[] {1, 2, 3, 5, 8}) {
      guest.writeBytes(0x70, new byte[length]);
      assertThat(guest.readBytes(0x70, length)).containsOnly(0);
    }
    assertThat(guest.readBytes(0x1fc, 8)).as("beyond its end").containsOnly(0);
    assertThat(guest.model.snapshot()).isEqualTo(before);
  }

  @Test
  void theConfigSpaceIsReadInAnySize() {
    guest.model.mtu(0x1234);
    assertThat(guest.readBytes(0x10a, 1)).containsExactly(0x34);
    assertThat(guest.readBytes(0x10b, 1)).containsExactly(0x12);
    assertThat(guest.readBytes(0x106, 8)).containsExactly(1, 0, 1, 0, 0x34, 0x12, 0, 0);
  }

  @Test
  void aChangeOfTheConfigSpaceInterruptsUntilItIsAcknowledged() {
    negotiate();
    int generation = guest.read(0xfc);
    guest.model.linkUp(false);
    assertThat(guest.interrupts).isEqualTo(1);
    assertThat(guest.read(0x60)).isEqualTo(3);
    assertThat(guest.read(0xfc)).isNotEqualTo(generation);
    guest.migrate();
    assertThat(guest.read(0x60)).isEqualTo(3);
    guest.write(0x64, 1);
    assertThat(guest.read(0x60)).isEqualTo(3);
    guest.write(0x64, 2);
    assertThat(guest.read(0x60)).isEqualTo(1);
    assertThat(guest.interrupts).isEqualTo(1);
  }

  @Test
  void aCommandThatIsDoneInterrupts() {
    guest.model.changed(DeviceChange.CONTROL_USED);
    assertThat(guest.interrupts).isEqualTo(1);
    assertThat(guest.read(0x60)).isEqualTo(1);
  }

  @Test
  void notificationsGoToTheirRingsAndThoseOfNoRingToNobody() {
    for (int value : new int[] {0, 1, 2, 3, 77, 0xffff, 0x8005_0001}) {
      guest.write(0x50, value);
    }
    assertThat(guest.owner.notified).containsExactly(0, 1, 2);
  }

  @Test
  void aDriverThatMovesInTheMiddleOfARingGoesOnThere() {
    negotiate();
    guest.write(0x30, 1);
    guest.write(0x38, 64);
    guest.write(0x80, 0x10000);
    guest.write(0x84, 1);
    guest.write(0x90, 0x11000);
    assertThat(guest.model.snapshot().queue(1).proxy())
        .isEqualTo(new SavedQueue.Proxy(64, false, 0x1_0001_0000L, 0x11000, 0));
    guest.migrate();
    guest.write(0x94, 1);
    guest.write(0xa0, 0x12000);
    guest.migrate();
    guest.write(0xa4, 1);
    assertThat(guest.read(0x44)).isZero();
    guest.write(0x44, 1);

    assertThat(guest.read(0x44)).isEqualTo(1);
    assertThat(guest.model.queue(1))
        .isEqualTo(
            new QueueState(
                64, 0x1_0001_0000L, 0x1_0001_1000L, 0x1_0001_2000L, true, RingIndex.split(0)));
  }

  @Test
  void aHalfWrittenRingMakesAnotherSnapshot() {
    negotiate();
    long before = guest.model.changes();
    guest.write(0x80, 0x10000);
    assertThat(guest.model.changes()).isEqualTo(before + 1);
    guest.write(0x80, 0x10000);
    assertThat(guest.model.changes()).as("the same again").isEqualTo(before + 1);
  }

  @Test
  void aRingThatIsTakenDownKeepsItsRegistersAndStartsAnew() {
    negotiate();
    setUp(0);
    guest.write(0x70, 0xf);
    guest.model.setNextIndex(0, RingIndex.split(4711));
    guest.write(0x44, 0);
    assertThat(guest.read(0x44)).isZero();
    assertThat(guest.model.queue(0).isSetUp()).isFalse();
    guest.migrate();
    guest.write(0x44, 1);
    assertThat(guest.model.queue(0))
        .isEqualTo(
            new QueueState(
                64, 0x1_0001_0000L, 0x1_0001_1000L, 0x1_0001_2000L, true, RingIndex.split(0)));
  }

  @Test
  void aRingIsResetByAOne() {
    negotiate();
    setUp(0);
    guest.write(0x70, 0xf);
    guest.write(0xc0, 0);
    assertThat(guest.read(0x44)).isEqualTo(1);
    guest.write(0xc0, 1);
    assertThat(guest.read(0x44)).isZero();
    assertThat(guest.read(0xc0)).as("it is over").isZero();
    setUp(0);
    assertThat(guest.read(0x44)).isEqualTo(1);
    assertThat(guest.model.live()).isTrue();
  }

  @Test
  void aRingLargerThanItsRegisterIsNotASmallOne() {
    negotiate();
    setUp(0);
    guest.write(0x38, 0x10040);
    guest.write(0x44, 1);
    assertThat(guest.model.broken()).isTrue();
    assertThat(guest.read(0x70) & DeviceStatus.NEEDS_RESET).isNotZero();
    guest.write(0x70, 0);
    negotiate();
    setUp(0);
    assertThat(guest.read(0x44)).isEqualTo(1);
  }

  /** QEMU makes the features the device's at FEATURES_OK; before, only the registers have them. */
  @Test
  void aStateThatQemuSavedBeforeFeaturesOkGoesOnWithWhatTheDriverWrote() {
    guest.write(0x70, 3);
    VirtioNetState begun = guest.model.snapshot();
    VirtioNetState saved =
        new VirtioNetState(
            begun.offer(),
            new TransportState.Mmio(true, 0, 0, 0, ALL),
            begun.common(),
            begun.net(),
            begun.queues());
    VirtioNet device = guest.model.twin();
    device.restore(saved);
    MmioGuest there = new MmioGuest(device);

    there.write(0x70, 0xb);

    assertThat(there.read(0x70)).isEqualTo(0xb);
    assertThat(device.driverFeatures()).isEqualTo(ALL);
  }

  @Test
  void whatTheDriverMayNotHaveIsRefusedAfterAMoveToo() {
    guest.write(0x70, 3);
    guest.acknowledge(ALL | NetFeature.RSS.mask());
    guest.migrate();
    guest.write(0x70, 0xb);
    assertThat(guest.read(0x70)).isEqualTo(3);
  }

  @Test
  void onlyAModernMmioDeviceHasThem() {
    VirtioNet legacy =
        VirtioNet.builder("net1").transport(TransportState.Mmio.create(false)).build();
    ModelOwner owner = new ModelOwner(legacy);
    assertThatThrownBy(() -> new VirtioMmio(owner, () -> {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("net1")
        .hasMessageContaining("legacy mmio");
    assertThatThrownBy(() -> legacy.queueRegisters(0, SavedQueue.Proxy.NONE))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("legacy mmio");
  }
}
