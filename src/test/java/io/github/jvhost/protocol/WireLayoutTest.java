package io.github.jvhost.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The bytes themselves, written out by hand from the specification (little-endian hosts). */
class WireLayoutTest {
  private static String hex(Payload payload) {
    ByteBuf wire = Unpooled.buffer();
    payload.encode(wire);
    return ByteBufUtil.hexDump(wire);
  }

  private static ByteBuf bytes(String hex) {
    return Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex.replace(" ", "")));
  }

  @Test
  void headerIsRequestFlagsSize() {
    ByteBuf wire = Unpooled.buffer();
    Header.request(12, 8, true).encode(wire);
    assertThat(ByteBufUtil.hexDump(wire)).isEqualTo("0c000000" + "09000000" + "08000000");
    assertThat(Header.reply(11, 8).flags()).isEqualTo(5);
  }

  @Test
  void aHeaderOfAnotherVersionOrWithReservedFlagsOrTooLargeIsRefused() {
    for (String flagsAndSize :
        List.of(
            "00000000 00000000",
            "02000000 00000000",
            "11000000 00000000",
            "05000000 01100000",
            "05000000 ffffffff")) {
      assertThatThrownBy(() -> Header.decode(bytes("01000000" + flagsAndSize)))
          .as(flagsAndSize)
          .isInstanceOf(ProtocolException.class);
    }
    assertThat(Header.decode(bytes("01000000 05000000 00100000")).size()).isEqualTo(4096);
  }

  @Test
  void ringAddressesGoDescriptorUsedAvailable() {
    assertThat(hex(new VringAddress(2, VringAddress.LOG, 0xD, 0xE, 0xA, 0x10)))
        .isEqualTo(
            "02000000"
                + "01000000"
                + "0d00000000000000"
                + "0e00000000000000"
                + "0a00000000000000"
                + "1000000000000000");
  }

  @Test
  void bitEightSaysThatNoDescriptorComes() {
    assertThat(hex(new VringDescriptor(3, true))).isEqualTo("0301000000000000");
    assertThat(hex(new VringDescriptor(255, false))).isEqualTo("ff00000000000000");
    assertThatThrownBy(() -> VringDescriptor.decode(bytes("0302000000000000"), 8))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("reserved bits");
  }

  @Test
  void aMemoryTableHasOnlyItsRegions() {
    var table = new MemoryTablePayload(List.of(new MemoryRegionPayload(1, 2, 3, 4)));
    assertThat(hex(table))
        .isEqualTo(
            "01000000"
                + "00000000"
                + "0100000000000000"
                + "0200000000000000"
                + "0300000000000000"
                + "0400000000000000");
    assertThatThrownBy(() -> MemoryTablePayload.decode(bytes("02" + hex(table).substring(2)), 40))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("2 regions");
  }

  @Test
  void aSingleRegionHasEightBytesInFront() {
    assertThat(hex(new SingleRegion(new MemoryRegionPayload(1, 2, 3, 4))))
        .startsWith("0000000000000000" + "0100000000000000")
        .hasSize(80);
  }

  @Test
  void tailPaddingIsWrittenButNotDemanded() {
    Iotlb iotlb = new Iotlb(1, 2, 3, 3, Iotlb.UPDATE);
    Inflight inflight = new Inflight(4096, 0, 2, 256);
    assertThat(hex(iotlb)).hasSize(64).endsWith("0302" + "000000000000");
    assertThat(hex(inflight)).hasSize(48).endsWith("0200" + "0001" + "00000000");
    assertThat(Iotlb.decode(bytes(hex(iotlb)), 26)).isEqualTo(iotlb);
    assertThat(Inflight.decode(bytes(hex(inflight)), 20)).isEqualTo(inflight);
    assertThatThrownBy(() -> Iotlb.decode(bytes(hex(iotlb)), 25))
        .isInstanceOf(ProtocolException.class);
    assertThatThrownBy(() -> Inflight.decode(bytes(hex(inflight)), 19))
        .isInstanceOf(ProtocolException.class);
  }

  @Test
  void aUuidIsBigEndian() {
    assertThat(hex(new SharedObject(UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"))))
        .isEqualTo("00112233445566778899aabbccddeeff");
  }

  @Test
  void theMacOfARarpIsInMemoryOrder() {
    assertThat(hex(U64.ofMac(new byte[] {0x52, 0x54, 0, 0x12, 0x34, 0x56})))
        .isEqualTo("5254001234560000");
    assertThatIllegalArgumentException().isThrownBy(() -> U64.ofMac(new byte[5]));
  }

  @Test
  void aBackEndThatRefusesToReadTheConfigurationAnswersWithNothing() {
    assertThat(PayloadKind.CONFIG.decode(bytes(""), 0)).isEqualTo(NoPayload.INSTANCE);
    assertThatThrownBy(() -> ConfigSpace.decode(bytes("00000000 02000000 00000000 aa"), 13))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("says 2 bytes");
  }

  @Test
  void regionsMayEndAtTheTopOfTheAddressSpaceButNotGoAround() {
    assertThat(new MemoryRegionPayload(-4096, 4096, 0, 0).guestAddress()).isEqualTo(-4096);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MemoryRegionPayload(-4096, 4097, 0, 0))
        .withMessageContaining("guest address");
    assertThatIllegalArgumentException().isThrownBy(() -> new MemoryRegionPayload(0, 0, 0, 0));
  }

  @Test
  void ringsAboveTheEightBitsAreRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> new VringState(256, 0));
    assertThatThrownBy(() -> VringState.decode(bytes("0001000000000000"), 8))
        .isInstanceOf(ProtocolException.class);
  }
}
