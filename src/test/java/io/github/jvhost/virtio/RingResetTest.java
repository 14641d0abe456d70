package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RingResetTest {
  private static final long RESET = NetFeature.RING_RESET.mask();

  private static VirtioNet device() {
    return VirtioNet.builder("net0")
        .maxQueuePairs(2)
        .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | RESET)
        .build();
  }

  private static VirtioNet live(VirtioNet device, long features) {
    device.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    device.setDriverFeatures(features);
    device.setStatus(0xB);
    for (int ring = 0; ring < 4; ring++) {
      setUp(device, ring, 128);
      device.setNextIndex(ring, RingIndex.split(1000 + ring));
    }
    device.setStatus(DeviceStatus.RUNNING);
    return device;
  }

  private static void setUp(VirtioNet device, int ring, int size) {
    long at = 0x10000L * (ring + 1);
    device.configureQueue(ring, size, at, at + 0x4000, at + 0x5000);
  }

  @Test
  void oneRingIsResetAndSetUpAgainWhileTheDeviceIsLive() {
    VirtioNet device = device();
    live(device, device.deviceFeatures());
    List<DeviceChange> changes = new ArrayList<>();
    device.onChange(changes::add);
    QueueState neighbour = device.queue(3);

    assertThat(device.resetQueue(2)).isTrue();

    assertThat(changes).containsExactly(DeviceChange.QUEUE_RESET);
    assertThat(device.queue(2)).isEqualTo(new QueueState(256, 0, 0, 0, false, RingIndex.split(0)));
    assertThat(device.queue(3)).isEqualTo(neighbour);
    assertThat(device.live()).isTrue();
    // The answer of a back end that is stopped now comes too late to count.
    device.setNextIndex(2, RingIndex.split(1234));
    assertThat(device.queue(2).next()).isEqualTo(RingIndex.split(0));

    setUp(device, 2, 64);

    assertThat(changes).endsWith(DeviceChange.QUEUE);
    assertThat(device.queue(2))
        .isEqualTo(new QueueState(64, 0x30000, 0x34000, 0x35000, true, RingIndex.split(0)));
    assertThatThrownBy(() -> device.resetQueue(5)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void aResetRingIsSavedAsOne() {
    VirtioNet device = device();
    live(device, device.deviceFeatures());
    device.resetQueue(2);

    SavedQueue saved = device.snapshot().queue(2);

    assertThat(saved.desc()).isZero();
    assertThat(saved.next()).isZero();
    assertThat(saved.size()).isEqualTo(256);
    // The registers keep what was written, but enable.
    assertThat(saved.proxy())
        .isEqualTo(new SavedQueue.Proxy(128, false, 0x30000, 0x34000, 0x35000));
    VirtioNet other = device.twin();
    other.restore(device.snapshot());
    assertThat(other.snapshot()).isEqualTo(device.snapshot());
    assertThat(other.queue(2)).isEqualTo(device.queue(2));
    setUp(other, 2, 64);
    assertThat(other.queue(2).ready()).isTrue();
  }

  @Test
  void withoutTheFeatureNothingIsReset() {
    VirtioNet device = device();
    live(device, device.deviceFeatures() & ~RESET);
    long changes = device.changes();
    assertThat(device.resetQueue(0)).isFalse();
    assertThat(device.queue(0).isSetUp()).isTrue();
    assertThat(device.changes()).isEqualTo(changes);
  }

  @Test
  void aBackEndWithoutItTakesItAway() {
    VirtioNet device = device();
    device.limitFeatures(-1L & ~RESET);
    assertThat(NetFeature.RING_RESET.in(device.deviceFeatures())).isFalse();
    device.limitFeatures(-1L);
    assertThat(NetFeature.RING_RESET.in(device.deviceFeatures())).isTrue();
    assertThat(NetFeature.RING_RESET.in(VirtioNet.builder("x").build().deviceFeatures()))
        .as("not unless asked for")
        .isFalse();
  }

  @Test
  void whatIsWithheldStaysSo() {
    VirtioNet device = device();
    long before = device.changes();
    long mtu = NetFeature.MTU.mask();

    device.withholdFeatures(RESET);
    device.withholdFeatures(mtu | NetFeature.CTRL_VLAN.mask());

    assertThat(device.changes()).isEqualTo(before + 2);
    long expected =
        (VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask())
            & ~mtu
            & ~NetFeature.CTRL_VLAN.mask();
    assertThat(device.deviceFeatures()).isEqualTo(expected);
    device.limitFeatures(-1L);
    assertThat(device.deviceFeatures()).isEqualTo(expected);
    assertThat(device.changes()).as("nothing changed").isEqualTo(before + 2);
    VirtioNet twin = device.twin();
    assertThat(twin.deviceFeatures()).isEqualTo(expected);
    twin.limitFeatures(-1L);
    assertThat(twin.deviceFeatures()).isEqualTo(expected);
    twin.limitFeatures(NetFeature.VERSION_1.mask());
    twin.withholdFeatures(0);
    assertThat(NetFeature.MRG_RXBUF.in(twin.deviceFeatures()))
        .as("the back end's limit stays too")
        .isFalse();
  }

  @Test
  void whatTheDriverUsesCannotBeWithheld() {
    VirtioNet device = device();
    live(device, device.deviceFeatures());
    long offered = device.deviceFeatures();
    assertThatThrownBy(() -> device.withholdFeatures(RESET))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageContaining("net0")
        .hasMessageContaining("RING_RESET");
    assertThat(device.deviceFeatures()).isEqualTo(offered);
    device.limitFeatures(-1L);
    assertThat(device.deviceFeatures()).isEqualTo(offered);
  }
}
