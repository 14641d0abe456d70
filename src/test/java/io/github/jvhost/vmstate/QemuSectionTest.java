package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Sections that QEMU wrote, with their values written down by hand from an independent decoder. */
class QemuSectionTest {

  @Test
  void aPausedLegacyMmioDevice() {
    byte[] body = Fixtures.load(Fixtures.MMIO);

    VirtioNetState state = VirtioNetVmState.decode(ByteBuffer.wrap(body), 1);

    assertThat(state.transport()).isEqualTo(TransportState.Mmio.create(false));
    assertThat(state.common().status()).isZero();
    assertThat(state.common().features()).isZero();
    assertThat(state.common().config().toArray()).isEqualTo(new byte[8]);
    assertThat(state.queueCount()).isEqualTo(3);
    assertThat(state.queues()).extracting(SavedQueue::size).containsExactly(256, 256, 64);
    assertThat(state.queue(1).align()).isEqualTo(4096);
    assertThat(state.offer().above31()).isFalse();
    assertThat(state.net().mac()).isEqualTo(MacAddress.parse("02:00:00:00:00:01"));
    assertThat(state.net().status()).isEqualTo(1);
    assertThat(state.net().filters().promiscuous()).isTrue();
    assertThat(state.net().filters().passesVlan(4095)).isTrue();
    assertThat(state.net().vnetHeader()).isTrue();
    assertThat(state.net().ufo()).isTrue();
    assertThat(VirtioNetVmState.encode(state)).isEqualTo(body);
  }

  @Test
  void aRunningLegacyPciDevice() {
    byte[] body = Fixtures.load(Fixtures.PCI_LEGACY);

    VirtioNetState state = VirtioNetVmState.decode(ByteBuffer.wrap(body), Fixtures.PCI);

    TransportState.Pci pci = (TransportState.Pci) state.transport();
    assertThat(pci.modern()).isFalse();
    assertThat(pci.msix()).isEmpty();
    assertThat(pci.interruptLevels()).containsExactly(0, 0, 0, 0);
    assertThat(state.common().status()).isEqualTo(7);
    assertThat(state.common().queueSelect()).isEqualTo(2);
    assertThat(state.common().features()).isEqualTo(0x38afe7e7L);
    assertThat(state.common().started()).isTrue();
    assertThat(state.queues()).extracting(SavedQueue::next).containsExactly(80, 82, 9);
    assertThat(state.queues())
        .extracting(SavedQueue::desc)
        .containsExactly(0x5720000L, 0x5724000L, 0x571e000L);
    assertThat(state.net().guestOffloads()).isEqualTo(0x782);
    assertThat(state.net().filters().table())
        .isEqualTo(macs("33:33:00:00:00:01", "01:00:5e:00:00:01", "33:33:ff:00:00:01"));
    assertThat(VirtioNetVmState.encode(state)).isEqualTo(body);
  }

  @Test
  void aRunningTransitionalPciDevice() {
    byte[] body = Fixtures.load(Fixtures.PCI_MODERN);

    VirtioNetState state = VirtioNetVmState.decode(ByteBuffer.wrap(body), Fixtures.PCI);

    TransportState.Pci pci = (TransportState.Pci) state.transport();
    assertThat(pci.modern()).isTrue();
    assertThat(pci.proxyFeatures()).isEqualTo(0x130afe7a7L);
    assertThat(pci.deviceFeatureSelect()).isEqualTo(1);
    assertThat(pci.guestFeatureSelect()).isEqualTo(1);
    TransportState.Msix msix = pci.msix().orElseThrow();
    assertThat(msix.vectors()).isEqualTo(4);
    assertThat(msix.configVector()).isZero();
    assertThat(state.common().status()).isEqualTo(15);
    assertThat(state.common().features()).isEqualTo(0x130afe7a7L);
    assertThat(state.queue(0))
        .isEqualTo(
            new SavedQueue(
                256,
                256,
                0,
                0x571a000,
                79,
                1,
                0x571b000,
                0x571b240,
                SavedQueue.Packed.START,
                new SavedQueue.Proxy(256, true, 0x571a000, 0x571b000, 0x571b240)));
    assertThat(state.queue(2).vector()).isEqualTo(SavedQueue.NO_VECTOR);
    assertThat(state.net().filters().table()).hasSize(8);
    assertThat(state.net().filters().passesVlan(100)).isTrue();
    assertThat(state.net().filters().passesVlan(101)).isFalse();
    assertThat(VirtioNetVmState.encode(state)).isEqualTo(body);
  }

  @Test
  void aQemuDeviceCanBeRestored() {
    VirtioNetState state =
        VirtioNetVmState.decode(ByteBuffer.wrap(Fixtures.load(Fixtures.PCI_MODERN)), Fixtures.PCI);
    VirtioNet device = device(state.common().features(), state.transport().reset());

    device.restore(state);

    assertThat(device.status()).isEqualTo(15);
    assertThat(device.queueCount()).isEqualTo(3);
    assertThat(device.queue(1))
        .isEqualTo(
            new QueueState(256, 0x571c000L, 0x571d000L, 0x571d240L, true, RingIndex.split(98)));
    assertThat(device.snapshot().queues()).isEqualTo(state.queues());
    assertThat(device.snapshot().net()).isEqualTo(state.net());
  }

  @Test
  void theRingsOfALegacyDriverFollowFromOneAddress() {
    VirtioNetState state =
        VirtioNetVmState.decode(ByteBuffer.wrap(Fixtures.load(Fixtures.PCI_LEGACY)), Fixtures.PCI);
    VirtioNet device =
        device(state.common().features() | NetFeature.VERSION_1.mask(), state.transport().reset());

    device.restore(state);

    QueueState ring = device.queue(0);
    assertThat(ring.desc()).isEqualTo(0x5720000L);
    assertThat(ring.avail()).isEqualTo(0x5720000L + 16 * 256);
    assertThat(ring.used()).isEqualTo(0x5722000L);
    assertThat(ring.next()).isEqualTo(RingIndex.split(80));
  }

  @Test
  void aDeviceThatOffersLessRefusesIt() {
    VirtioNetState state =
        VirtioNetVmState.decode(ByteBuffer.wrap(Fixtures.load(Fixtures.PCI_MODERN)), Fixtures.PCI);
    VirtioNet device = device(VirtioNetBuilder.DEFAULT_FEATURES, state.transport().reset());

    assertThatThrownBy(() -> device.restore(state))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("features that this device does not offer")
        .hasMessageContaining("GUEST_TSO4");
    assertThat(device.status()).isZero();
  }

  private static VirtioNet device(long features, TransportState transport) {
    return VirtioNet.builder("net0").deviceFeatures(features).transport(transport).build();
  }

  private static List<MacAddress> macs(String... texts) {
    return Arrays.stream(texts).map(MacAddress::parse).toList();
  }
}
