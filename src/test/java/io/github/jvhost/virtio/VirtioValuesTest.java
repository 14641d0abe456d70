package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class VirtioValuesTest {

  @Test
  void theBaseOfASplitRingIsItsIndex() {
    assertThat(RingIndex.split(65535).toVhostBase()).isEqualTo(65535);
    assertThat(RingIndex.fromVhostBase(0x7_0005, false)).isEqualTo(RingIndex.split(5));
  }

  @Test
  void theBaseOfAPackedRingHasBothIndexes() {
    assertThat(RingIndex.start(true).toVhostBase()).isEqualTo(0x8000_8000);
    assertThat(RingIndex.packed(3, false, 5, true).toVhostBase()).isEqualTo(0x8005_0003);
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 10_000; i++) {
      int base = random.nextInt();
      assertThat(RingIndex.fromVhostBase(base, true).toVhostBase()).isEqualTo(base);
    }
  }

  @Test
  void indexesHaveRanges() {
    assertThatThrownBy(() -> RingIndex.split(65536)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> RingIndex.packed(32768, true, 0, true))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void anIndirectionTableIsAPowerOfTwoLong() {
    for (int right : new int[] {0, 1, 2, 128, RssState.MAX_TABLE}) {
      assertThat(RssState.isTableLength(right)).as("%d", right).isTrue();
    }
    for (int wrong : new int[] {3, -1, 2 * RssState.MAX_TABLE, Integer.MIN_VALUE}) {
      assertThat(RssState.isTableLength(wrong)).as("%d", wrong).isFalse();
    }
  }

  @Test
  void macAddresses() {
    MacAddress mac = MacAddress.parse("02:Ab:00:00:00:ff");
    assertThat(mac).hasToString("02:ab:00:00:00:ff");
    assertThat(mac.bytes()).containsExactly(2, 0xab, 0, 0, 0, 0xff);
    assertThat(MacAddress.of(mac.bytes(), 0)).isEqualTo(mac);
    assertThat(mac.multicast()).isFalse();
    assertThat(MacAddress.parse("33:33:00:00:00:01").multicast()).isTrue();
    for (String wrong :
        new String[] {"", "02:00:00:00:00", "02-00-00-00-00-01", "0g:00:00:00:00:01"}) {
      assertThatThrownBy(() -> MacAddress.parse(wrong))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("not a MAC address");
    }
  }

  @Test
  void bitsHaveNames() {
    assertThat(NetFeature.describe(0)).isEqualTo("none");
    assertThat(NetFeature.describe(1L << 32 | 1L << 30 | 1L << 22))
        .isEqualTo("MQ|VERSION_1|bit 30");
    assertThat(DeviceStatus.describe(0xF)).isEqualTo("ACKNOWLEDGE|DRIVER|FEATURES_OK|DRIVER_OK");
    assertThat(DeviceStatus.describe(0x60)).isEqualTo("NEEDS_RESET|0x20");
    assertThat(DeviceStatus.describe(0)).isEqualTo("0");
  }

  @Test
  void vectorsAreCountedInTheCapabilityList() {
    byte[] space = new byte[256];
    space[0x34] = 0x40;
    space[0x40] = 0x09;
    space[0x41] = 0x60;
    space[0x60] = 0x11;
    space[0x62] = 0x03;
    space[0x63] = (byte) 0x80;
    assertThat(PciCapabilities.msixVectors(Bytes.copyOf(space))).as("no list").isZero();
    space[6] = 0x10;
    assertThat(PciCapabilities.msixVectors(Bytes.copyOf(space))).isEqualTo(4);
    space[0x60] = 0x09;
    space[0x61] = 0x40;
    assertThat(PciCapabilities.msixVectors(Bytes.copyOf(space))).as("a loop").isZero();
  }
}
