package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class LegacyBigEndianTest {
  private static final long LEGACY =
      (VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask() | NetFeature.EVENT_IDX.mask())
          & ~NetFeature.VERSION_1.mask();

  private static VirtioNet device(boolean big) {
    return VirtioNet.builder("net0")
        .maxQueuePairs(4)
        .mtu(9000)
        .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.EVENT_IDX.mask())
        .transport(TransportState.Mmio.create(false))
        .legacyBigEndian(big)
        .build();
  }

  @Test
  void theConfigSpaceIsInTheGuestsOrder() {
    VirtioNet device = device(true);
    assertThat(device.legacyBigEndian()).isTrue();
    assertThat(device.readConfig(6, 6)).containsExactly(0, 1, 0, 4, 0x23, 0x28);
    device.setDriverFeatures(device.deviceFeatures());
    assertThat(device.readConfig(6, 6)).as("VERSION_1").containsExactly(1, 0, 4, 0, 0x28, 0x23);
    assertThat(device(false).readConfig(6, 6)).containsExactly(1, 0, 4, 0, 0x28, 0x23);
  }

  @Test
  void commandsAndTheirRingAreInTheGuestsOrder() {
    VirtioNet device = device(true);
    try (ControlGuest guest = new ControlGuest(device, LEGACY, ByteOrder.BIG_ENDIAN)) {
      assertThat(guest.command(4, 0, 0, 3)).isEqualTo(NetControl.OK);
      assertThat(device.currentQueuePairs()).isEqualTo(3);
      assertThat(guest.command(4, 0, 3, 0)).isEqualTo(NetControl.ERR);
      assertThat(guest.command(2, 0, 0x01, 0x02)).isEqualTo(NetControl.OK);
      assertThat(device.snapshot().net().filters().passesVlan(0x102)).isTrue();
      assertThat(guest.command(1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0))
          .isEqualTo(NetControl.OK);
      assertThat(guest.usedIndex()).isEqualTo(4);
      // The used element and the index of the next notification.
      assertThat(guest.memory.getInt(ControlGuest.USED + 8)).isEqualTo(1 << 24);
      assertThat(guest.memory.getShort(ControlGuest.USED + 4 + 8L * ControlGuest.SIZE))
          .isEqualTo((short) 0x0400);
      assertThat(device.broken()).isFalse();
    }
  }

  @Test
  void itIsSavedWithItsOrderAndRestoredWhereThatIsTheSame() {
    VirtioNet device = device(true);
    try (ControlGuest guest = new ControlGuest(device, LEGACY, ByteOrder.BIG_ENDIAN)) {
      guest.command(4, 0, 0, 3);
      VirtioNetState state = device.snapshot();
      assertThat(state.common().endian()).isEqualTo(CommonState.Endian.BIG);

      VirtioNet other = device.twin();
      other.mtu(1500);
      other.restore(state);
      assertThat(other.snapshot().common()).isEqualTo(state.common());
      assertThat(other.snapshot().net()).isEqualTo(state.net());
      assertThat(other.mtu()).isEqualTo(9000);

      VirtioNet little = device(false);
      assertThatThrownBy(() -> little.restore(state))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("a big-endian driver");
    }
    VirtioNet little = device(false);
    try (ControlGuest guest = new ControlGuest(little, LEGACY)) {
      VirtioNetState state = guest.device.snapshot();
      VirtioNet big = device(true);
      assertThatThrownBy(() -> big.restore(state))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("a little-endian legacy driver");
    }
    // Before there is a driver, and with a VERSION_1 driver, the order does not matter.
    device(true).restore(device(false).snapshot());
    VirtioNet modern = device(false);
    try (ControlGuest guest = new ControlGuest(modern, modern.deviceFeatures())) {
      VirtioNet big = device(true);
      big.restore(guest.device.snapshot());
      assertThat(big.snapshot()).isEqualTo(guest.device.snapshot());
    }
  }

  @Test
  void aModernTransportHasNoSuchDrivers() {
    VirtioNetBuilder builder = VirtioNet.builder("net0").legacyBigEndian(true);
    assertThatThrownBy(builder::build)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("needs a legacy transport");
  }
}
