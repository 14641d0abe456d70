package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceMemoryTest {
  private final GuestMemory guest =
      GuestMemory.builder(DescriptorLedger.tracing()).region("ram", 0, 1 << 20).build();
  private final IommuTable iommu = new IommuTable();
  private final DeviceMemory behind = new DeviceMemory(guest, iommu);

  @AfterEach
  void close() {
    guest.close();
  }

  @ParameterizedTest
  @ValueSource(longs = {Long.MAX_VALUE, Long.MAX_VALUE - 1, -1, Long.MIN_VALUE, 1 << 20, 0xfffff})
  void aGuestMayNameAnyAddress(long address) {
    for (DeviceMemory memory : new DeviceMemory[] {DeviceMemory.of(guest), behind}) {
      assertThatThrownBy(() -> memory.pieces(address, 2, Access.READ))
          .isInstanceOf(GuestAddressException.class);
      assertThatThrownBy(() -> memory.pieces(address, Long.MAX_VALUE, Access.READ))
          .isInstanceOf(GuestAddressException.class);
      assertThatThrownBy(() -> memory.getShort(address)).isInstanceOf(GuestAddressException.class);
      assertThat(memory.contains(address, 2)).isFalse();
    }
  }

  @Test
  void aRangeIsReadOverPagesThatAreApart() {
    iommu.map(0x10000, 0x3000, 4096, Access.READ);
    iommu.map(0x11000, 0x1000, 4096, Access.READ);
    guest.putByte(0x3fff, (byte) 1);
    guest.putByte(0x1000, (byte) 2);

    assertThat(behind.read(0x10fff, 2)).containsExactly(1, 2);
    assertThatThrownBy(() -> behind.read(0x11fff, 2))
        .isInstanceOf(GuestAddressException.class)
        .hasMessageContaining("the IOMMU does not translate");
  }

  @Test
  void aDeviceWritesOnlyWhereItMay() {
    iommu.map(0x10000, 0x3000, 4096, Access.READ);

    assertThatThrownBy(() -> behind.putByte(0x10000, (byte) 1))
        .isInstanceOf(GuestAddressException.class);
    assertThat(guest.getByte(0x3000)).isZero();
  }

  @Test
  void whatAnIommuMapsOutsideOfMemoryIsNotThere() {
    iommu.map(0x10000, 1L << 40, 4096, Access.READ_WRITE);

    assertThat(behind.contains(0x10000, 2)).isFalse();
    assertThatThrownBy(() -> behind.getShort(0x10000)).isInstanceOf(GuestAddressException.class);
  }
}
