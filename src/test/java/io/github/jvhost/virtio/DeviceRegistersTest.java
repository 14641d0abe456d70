package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import java.util.Collections;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/**
 * What a driver reads from the registers of a device, and what of that travels with a migration.
 */
class DeviceRegistersTest {
  private static final int VECTORS = 4;

  private static TransportState pci() {
    byte[] space = new byte[TransportState.Pci.CONFIG_SPACE];
    space[0x06] = 0x10;
    space[0x34] = 0x40;
    space[0x40] = 0x11;
    space[0x42] = VECTORS - 1;
    byte[] table = new byte[VECTORS * TransportState.Msix.ENTRY];
    table[0] = 0x55;
    return new TransportState.Pci(
        true,
        Bytes.copyOf(space),
        Collections.nCopies(TransportState.Pci.INTERRUPT_LINES, 0),
        Optional.of(
            new TransportState.Msix(Bytes.copyOf(table), Bytes.zeros(1), SavedQueue.NO_VECTOR)),
        0,
        0,
        0,
        OptionalLong.empty());
  }

  private static VirtioNet live(VirtioNetBuilder builder) {
    VirtioNet device = builder.build();
    device.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    device.setDriverFeatures(device.deviceFeatures());
    device.setStatus(0xB);
    device.configureQueue(0, 64, 0x10000, 0x11000, 0x12000);
    device.setStatus(DeviceStatus.RUNNING);
    return device;
  }

  @Test
  void theVectorsOfRingsAndConfigSpaceTravel() {
    VirtioNet source = live(VirtioNet.builder("net0").transport(pci()));
    assertThat(source.configVector()).isEqualTo(SavedQueue.NO_VECTOR);
    assertThat(source.queueVector(1)).isEqualTo(SavedQueue.NO_VECTOR);
    long before = source.changes();
    source.configVector(0);
    source.queueVector(0, 1);
    source.queueVector(1, 2);
    source.queueVector(2, 3);
    assertThat(source.changes()).isEqualTo(before + 4);
    source.queueVector(2, 3);
    assertThat(source.changes()).as("nothing changed").isEqualTo(before + 4);
    // A driver may set a ring up after it has assigned its vector.
    source.configureQueue(1, 64, 0x20000, 0x21000, 0x22000);

    VirtioNet destination = VirtioNet.builder("net0").transport(pci()).build();
    destination.restore(source.snapshot());

    assertThat(destination.configVector()).isZero();
    assertThat(destination.queueVector(0)).isEqualTo(1);
    assertThat(destination.queueVector(1)).isEqualTo(2);
    assertThat(destination.queueVector(2)).isEqualTo(3);
    assertThat(destination.snapshot()).isEqualTo(source.snapshot());
  }

  @Test
  void aResetTakesTheVectorsAndLeavesTheTable() {
    VirtioNet device = live(VirtioNet.builder("net0").transport(pci()));
    device.configVector(1);
    device.queueVector(0, 2);
    device.setStatus(0);
    assertThat(device.configVector()).isEqualTo(SavedQueue.NO_VECTOR);
    assertThat(device.queueVector(0)).isEqualTo(SavedQueue.NO_VECTOR);
    assertThat(device.transport()).isEqualTo(pci());
  }

  @Test
  void aVectorThatTheDeviceHasNotIsNone() {
    VirtioNet device = live(VirtioNet.builder("net0").transport(pci()));
    device.queueVector(0, 2);
    for (int vector : new int[] {VECTORS, -1, 0x10000, SavedQueue.NO_VECTOR}) {
      device.queueVector(0, vector);
      device.configVector(vector);
      assertThat(device.queueVector(0)).as("%d", vector).isEqualTo(SavedQueue.NO_VECTOR);
      assertThat(device.configVector()).as("%d", vector).isEqualTo(SavedQueue.NO_VECTOR);
    }
    VirtioNet mmio = live(VirtioNet.builder("net0"));
    mmio.queueVector(0, 0);
    mmio.configVector(0);
    assertThat(mmio.queueVector(0)).isEqualTo(SavedQueue.NO_VECTOR);
    assertThat(mmio.configVector()).isEqualTo(SavedQueue.NO_VECTOR);
    assertThat(mmio.snapshot().transport()).isEqualTo(mmio.transport());
  }

  @Test
  void theBuildersQueueSizeIsTheMostThatADriverCanHave() {
    VirtioNetBuilder builder = VirtioNet.builder("net0").queueSize(128);
    VirtioNet device = live(builder);
    assertThat(device.maxRingSize(0)).isEqualTo(128);
    assertThat(device.maxRingSize(device.controlQueue())).isEqualTo(64);
    device.configureQueue(1, 128, 0x20000, 0x21000, 0x22000);
    assertThat(device.broken()).isFalse();
    device.configureQueue(1, 256, 0x20000, 0x21000, 0x22000);
    assertThat(device.whyBroken()).hasValueSatisfying(why -> assertThat(why).contains("128"));
    assertThat(live(VirtioNet.builder("net0")).maxRingSize(0)).isEqualTo(256);
  }

  @Test
  void aLargerRingThatWasSavedCanBeRestoredAndSetUpAgain() {
    long features = VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.RING_RESET.mask();
    VirtioNet source = live(VirtioNet.builder("net0").queueSize(1024).deviceFeatures(features));
    source.configureQueue(0, 1024, 0x10000, 0x20000, 0x30000);

    VirtioNet destination = VirtioNet.builder("net0").deviceFeatures(features).build();
    destination.restore(source.snapshot());

    assertThat(destination.maxRingSize(0)).isEqualTo(1024);
    assertThat(destination.resetQueue(0)).isTrue();
    destination.configureQueue(0, 1024, 0x10000, 0x20000, 0x30000);
    assertThat(destination.broken()).isFalse();
    destination.setStatus(0);
    assertThat(destination.maxRingSize(0)).as("what the next driver finds").isEqualTo(256);
  }

  @Test
  void speedAndDuplexAreInTheConfigSpace() {
    LinkSpeed fast = new LinkSpeed(0x12345, LinkSpeed.Duplex.FULL);
    VirtioNet device = VirtioNet.builder("net0").linkSpeed(fast).build();
    assertThat(NetFeature.SPEED_DUPLEX.in(device.deviceFeatures())).isTrue();
    assertThat(device.readConfig(12, 6)).containsExactly(0x45, 0x23, 1, 0, 1, 0);
    assertThat(device.twin().readConfig(12, 5)).containsExactly(0x45, 0x23, 1, 0, 1);

    VirtioNet unknown =
        VirtioNet.builder("net0").deviceFeatures(NetFeature.SPEED_DUPLEX.mask()).build();
    assertThat(unknown.readConfig(12, 5)).containsExactly(0xff, 0xff, 0xff, 0xff, 0xff);
    assertThat(VirtioNet.builder("net0").build().readConfig(12, 5)).containsOnly(0);
    assertThatThrownBy(() -> new LinkSpeed(-2, LinkSpeed.Duplex.HALF))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void speedAndStandbyAreNegotiatedAndNoBackEndSeesThem() {
    long mine = NetFeature.maskOf(NetFeature.SPEED_DUPLEX, NetFeature.STANDBY);
    VirtioNetBuilder builder =
        VirtioNet.builder("net0").deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | mine);
    VirtioNet device = builder.build();
    device.limitFeatures(NetFeature.VERSION_1.mask());
    assertThat(device.deviceFeatures() & mine).as("a back end has no say in it").isEqualTo(mine);

    VirtioNet source = live(builder);
    assertThat(source.driverFeatures() & mine).isEqualTo(mine);
    assertThat(source.backEndFeatures() & mine).isZero();
    VirtioNet destination = builder.build();
    destination.restore(source.snapshot());
    assertThat(destination.snapshot()).isEqualTo(source.snapshot());
    assertThatThrownBy(() -> VirtioNet.builder("net0").build().restore(source.snapshot()))
        .hasMessageContaining("STANDBY|SPEED_DUPLEX");
  }
}
