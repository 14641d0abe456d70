package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GuestMemoryTest {
  private static final long GIB = 1L << 30;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void numbersAreLittleEndianAtAnyAlignment() {
    try (GuestMemory memory = twoRegions()) {
      memory.putLong(0x1003, 0x1122334455667788L);
      assertThat(memory.getByte(0x1003)).isEqualTo((byte) 0x88);
      assertThat(memory.getShort(0x1003)).isEqualTo((short) 0x7788);
      assertThat(memory.getInt(0x1003)).isEqualTo(0x55667788);
      assertThat(memory.getLong(0x1003)).isEqualTo(0x1122334455667788L);
      memory.putInt(0x1003, 0x01020304);
      memory.putShort(0x1007, (short) 0x0506);
      memory.putByte(0x1009, (byte) 7);
      byte[] bytes = new byte[8];
      memory.copyOut(0x1003, bytes);
      assertThat(bytes).containsExactly(4, 3, 2, 1, 6, 5, 7, 0x11);
      memory.copyIn(4 * GIB, bytes, 2, 3);
      memory.copyOut(4 * GIB, bytes, 0, 3);
      assertThat(bytes).containsExactly(2, 1, 6, 1, 6, 5, 7, 0x11);
    }
  }

  @Test
  void indexesAreReadAndWrittenInOrderAndAligned() {
    try (GuestMemory memory = twoRegions()) {
      memory.putShortRelease(0x2002, (short) 0xfffe);
      memory.putIntRelease(0x2004, 0xcafe0001);
      assertThat(memory.getShortAcquire(0x2002)).isEqualTo((short) 0xfffe);
      assertThat(memory.getShort(0x2002)).isEqualTo((short) 0xfffe);
      assertThat(memory.getIntAcquire(0x2004)).isEqualTo(0xcafe0001);
      // A guest chooses these addresses, so this is its error and not ours.
      assertThatThrownBy(() -> memory.getShortAcquire(0x2001))
          .isInstanceOf(GuestAddressException.class)
          .hasMessage("guest address 0x2001, 2 bytes, is not aligned");
      assertThatThrownBy(() -> memory.putShortRelease(0x2001, (short) 0))
          .isInstanceOf(GuestAddressException.class);
      assertThatThrownBy(() -> memory.getIntAcquire(0x2002))
          .isInstanceOf(GuestAddressException.class);
      assertThatThrownBy(() -> memory.putIntRelease(0x2002, 0))
          .isInstanceOf(GuestAddressException.class);
    }
  }

  @Test
  void whoeverHoldsTheFileSeesTheGuestsBytes() {
    try (GuestMemory memory = twoRegions()) {
      MemoryRegion high = memory.table().region("high").orElseThrow();
      assertThat(high.fileOffset()).isZero();
      try (MemoryFile peers = MemoryFile.adopt(high.file().duplicate());
          Mapping mapping = peers.map(0, peers.size())) {
        assertThat(peers.sealedAgainstShrinking()).isTrue();
        assertThat(peers.size()).isEqualTo(high.size());
        memory.putInt(4 * GIB + 0x123, 42);
        assertThat(mapping.segment().get(ValueLayout.JAVA_INT_UNALIGNED, 0x123)).isEqualTo(42);
        mapping.segment().set(ValueLayout.JAVA_BYTE, 0x2fff, (byte) 9);
        assertThat(memory.getByte(4 * GIB + 0x2fff)).isEqualTo((byte) 9);
      }
    }
  }

  @Test
  void aRegionMayExceedTwoGibibytesAndOnlyTouchedPagesAreResident() {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 3 * GIB).build()) {
      assertThat(memory.residentPages()).isZero();
      memory.putLong(3 * GIB - 8, 5);
      memory.putByte(4096, (byte) 1);
      assertThat(memory.getLong(3 * GIB - 8)).isEqualTo(5);
      assertThat(memory.residentPages()).isEqualTo(2);
      assertThat(memory.totalBytes()).isEqualTo(3 * GIB);
    }
  }

  @Test
  void userAddressesStayWhileRegionsComeAndGo() {
    try (GuestMemory memory = twoRegions()) {
      MemoryTable before = memory.table();
      MemoryRegion low = before.regions().getFirst();
      long label = before.userAddressOf(4 * GIB + 16, 16);
      assertThat(label).isEqualTo(GuestMemory.USER_ADDRESS_BASE + 4 * GIB + 16);

      memory.addRegion("middle", 2 * GIB, 4096);
      assertThat(memory.table().regions())
          .extracting(MemoryRegion::name)
          .containsExactly("low", "middle", "high");
      assertThat(memory.table().userAddressOf(4 * GIB + 16, 16)).isEqualTo(label);
      memory.putByte(2 * GIB, (byte) 1);

      memory.removeRegion("middle");
      assertThat(memory.table()).isEqualTo(before);
      assertThatThrownBy(() -> memory.getByte(2 * GIB)).isInstanceOf(GuestAddressException.class);

      memory.removeRegion("low");
      memory.addRegion("low", 0, low.size());
      assertThat(memory.table().regions().getFirst().userAddress()).isEqualTo(low.userAddress());
      // ... but it is another file, which a back end has to be told.
      assertThat(memory.table()).isNotEqualTo(before);
    }
  }

  @Test
  void aRemovedRegionIsUnmappedAndItsFileClosed() {
    try (GuestMemory memory = twoRegions()) {
      MemoryRegion low = memory.table().regions().getFirst();
      MemorySegment slice = memory.slice(0x1000, 16);
      memory.removeRegion("low");
      assertThat(low.file().isOpen()).isFalse();
      assertThat(ledger.openCount()).isEqualTo(1);
      assertThatThrownBy(() -> slice.get(ValueLayout.JAVA_BYTE, 0))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> memory.removeRegion("low"))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aRegionThatCannotBeAddedLeavesEverythingAsItWas() {
    try (GuestMemory memory = twoRegions()) {
      MemoryTable before = memory.table();
      assertThatThrownBy(() -> memory.addRegion("more", 0x1000, 4096))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.addRegion("low", 2 * GIB, 4096))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.addRegion("odd", 2 * GIB, 100))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(memory.table()).isEqualTo(before);
      assertThat(ledger.openCount()).isEqualTo(2);
    }
    GuestMemory.Builder builder = GuestMemory.builder(ledger).region("low", 0, 4096);
    assertThatThrownBy(() -> builder.region("more", 0, 4096))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(ledger.openCount()).isZero();
  }

  @Test
  void everyPutMarksThePagesThatItTouches() {
    try (GuestMemory memory = twoRegions()) {
      DirtyBitmap dirty = new DirtyBitmap(memory.table().highestAddress());
      memory.putByte(0x9000, (byte) 1);
      memory.trackWrites(dirty);
      memory.putByte(0x0, (byte) 1);
      memory.putShort(0x1fff, (short) 1); // across two pages
      memory.putInt(0x3000, 1);
      memory.putLong(0x4000, 1);
      memory.putShortRelease(0x5000, (short) 1);
      memory.putIntRelease(0x6000, 1);
      memory.copyIn(4 * GIB, new byte[4097]);
      memory.written(0x8000, 1);
      memory.getLong(0xa000);
      assertThat(pages(dirty))
          .containsExactly(
              0x0L,
              0x1000L,
              0x2000L,
              0x3000L,
              0x4000L,
              0x5000L,
              0x6000L,
              0x8000L,
              4 * GIB,
              4 * GIB + 0x1000);
      assertThatThrownBy(() -> memory.putLong(0xfffc, 1)).isInstanceOf(GuestAddressException.class);
      memory.trackWrites(null);
      memory.putByte(0xb000, (byte) 1);
      assertThat(dirty.count()).isEqualTo(10);
    }
  }

  @Test
  void trackedMemoryDoesNotGrowBeyondItsBitmap() {
    try (GuestMemory memory = twoRegions()) {
      assertThatThrownBy(() -> memory.trackWrites(new DirtyBitmap(4 * GIB - 1)))
          .isInstanceOf(IllegalStateException.class);
      memory.trackWrites(new DirtyBitmap(memory.table().highestAddress()));
      assertThatThrownBy(() -> memory.addRegion("top", 5 * GIB, 4096))
          .isInstanceOf(IllegalStateException.class);
      assertThat(ledger.openCount()).isEqualTo(2);
      DirtyBitmap larger = new DirtyBitmap(6 * GIB);
      memory.trackWrites(larger);
      memory.addRegion("top", 5 * GIB, 4096);
      memory.putByte(5 * GIB, (byte) 1);
      assertThat(pages(larger)).containsExactly(5 * GIB);
    }
  }

  /**
   * Random regions, random accesses: each reaches exactly the bytes of its region, or throws and
   * changes nothing.
   */
  @Test
  void noAccessEverLeavesItsRegion() {
    for (long seed = 1; seed <= 60; seed++) {
      new RandomAccesses(seed, ledger).run(400);
    }
  }

  static List<Long> pages(DirtyBitmap bitmap) {
    List<Long> found = new ArrayList<>();
    bitmap.forEachDirtyPage(found::add);
    Set<Long> distinct = new HashSet<>(found);
    assertThat(distinct).hasSameSizeAs(found);
    return found;
  }

  private GuestMemory twoRegions() {
    return GuestMemory.builder(ledger)
        .region("high", 4 * GIB, 0x3000)
        .region("low", 0, 0x10000)
        .build();
  }
}
