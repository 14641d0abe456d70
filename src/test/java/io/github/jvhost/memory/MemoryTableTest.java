package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryTableTest {
  private static final long USER = 0x10_0000_0000L;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final MemoryFile file = MemoryFile.create(ledger, "ram", 4096);

  @AfterEach
  void nothingIsLeftOpen() {
    file.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void regionsAreSortedSoThatOrderPlaysNoPart() {
    MemoryRegion low = region("low", 0, 0x10000);
    MemoryRegion high = region("high", 0x100000, 0x10000);
    MemoryTable table = new MemoryTable(List.of(high, low));
    assertThat(table.regions()).containsExactly(low, high);
    assertThat(table).isEqualTo(MemoryTable.EMPTY.with(low).with(high));
    assertThat(table.without("low")).isEqualTo(MemoryTable.EMPTY.with(high));
    assertThat(table.without("none")).isEqualTo(table);
    assertThat(table.highestAddress()).isEqualTo(0x10ffff);
    assertThat(table.totalBytes()).isEqualTo(0x20000);
    assertThat(table.region("high")).contains(high);
    assertThat(table.region("none")).isEmpty();
    assertThat(MemoryTable.EMPTY.highestAddress()).isEqualTo(-1);
  }

  @Test
  void aRegionIsTheSameOnlyWithTheSameFile() {
    MemoryRegion one = region("ram", 0, 4096);
    try (OwnedDescriptor copy = file.descriptor().duplicate();
        MemoryFile another = MemoryFile.create(ledger, "ram", 4096)) {
      assertThat(new MemoryRegion("ram", 0, 4096, USER, 0, copy)).isEqualTo(one);
      assertThat(new MemoryRegion("ram", 0, 4096, USER, 0, another.descriptor())).isNotEqualTo(one);
    }
  }

  @Test
  void anAddressIsTranslatedOnlyWithinOneRegion() {
    // Two regions that touch: an access across the border is in neither file.
    MemoryTable table =
        MemoryTable.EMPTY.with(region("a", 0x10000, 0x1000)).with(region("b", 0x11000, 0x1000));
    assertThat(table.userAddressOf(0x10000, 0x1000)).isEqualTo(USER + 0x10000);
    assertThat(table.userAddressOf(0x11ff0, 16)).isEqualTo(USER + 0x11ff0);
    assertThat(table.contains(0x10ff8, 8)).isTrue();
    long[][] outside = {
      {0x10ff8, 16},
      {0xffff, 1},
      {0x12000, 1},
      {0x11fff, 2},
      {0x10000, -1},
      {-1, 1},
      {Long.MIN_VALUE, 1},
      {0x10000, Long.MAX_VALUE},
      {Long.MAX_VALUE, Long.MAX_VALUE}
    };
    for (long[] access : outside) {
      assertThat(table.contains(access[0], access[1])).isFalse();
      assertThatThrownBy(() -> table.userAddressOf(access[0], access[1]))
          .isInstanceOfSatisfying(
              GuestAddressException.class,
              e -> {
                assertThat(e.guestAddress()).isEqualTo(access[0]);
                assertThat(e.length()).isEqualTo(access[1]);
                assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP);
              });
    }
    assertThatThrownBy(() -> table.userAddressOf(0x12000, 4))
        .hasMessage("guest address 0x12000, 4 bytes, is not within one memory region");
  }

  @Test
  void overlapsAndSharedNamesAreRefused() {
    MemoryTable table = MemoryTable.EMPTY.with(region("a", 0x10000, 0x2000));
    assertThatThrownBy(() -> table.with(region("b", 0x11000, 0x1000)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("memory regions a 0x10000..0x11fff and b 0x11000..0x11fff overlap");
    assertThatThrownBy(() -> table.with(region("b", 0xf000, 0x4000)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> table.with(region("a", 0x20000, 0x1000)))
        .isInstanceOf(IllegalArgumentException.class);
    MemoryRegion sameUser =
        new MemoryRegion("b", 0x20000, 4096, USER + 0x11000, 0, file.descriptor());
    assertThatThrownBy(() -> table.with(sameUser))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("user addresses");
  }

  @Test
  void aTableHasAtMost512Regions() {
    List<MemoryRegion> regions = new ArrayList<>();
    for (int i = 0; i < MemoryTable.MAX_REGIONS; i++) {
      regions.add(region("r" + i, i * 4096L, 4096));
    }
    MemoryTable full = new MemoryTable(regions);
    assertThat(full.regions()).hasSize(512);
    assertThatThrownBy(() -> full.with(region("more", 1L << 40, 4096)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("513 memory regions: at most 512");
  }

  /**
   * Random tables: refused exactly when two regions clash, and searched as a look at each would.
   */
  @Test
  void randomTablesAreCheckedAndSearched() {
    int refused = 0;
    for (long seed = 1; seed <= 2000; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<MemoryRegion> regions = new ArrayList<>();
      int count = random.nextInt(12);
      for (int i = 0; i < count; i++) {
        long gpa = 4096L * random.nextInt(60);
        long user = USER + (random.nextInt(20) == 0 ? 4096L * random.nextInt(60) : gpa);
        String name = "r" + (random.nextInt(40) == 0 ? 0 : i);
        long size = 4096L * random.nextInt(1, 4);
        regions.add(new MemoryRegion(name, gpa, size, user, 0, file.descriptor()));
      }
      if (clash(regions)) {
        refused++;
        assertThatThrownBy(() -> new MemoryTable(regions))
            .as("seed %d", seed)
            .isInstanceOf(IllegalArgumentException.class);
        continue;
      }
      MemoryTable table = new MemoryTable(regions);
      for (int i = 0; i < 50; i++) {
        long gpa = 4096L * random.nextInt(-1, 64) + random.nextInt(-9, 9);
        long length = random.nextInt(1, 5000);
        Optional<MemoryRegion> expected =
            regions.stream().filter(r -> r.contains(gpa, length)).findFirst();
        assertThat(table.contains(gpa, length)).as("seed %d", seed).isEqualTo(expected.isPresent());
        expected.ifPresent(r -> assertThat(table.regionOf(gpa, length)).isEqualTo(r));
      }
    }
    assertThat(refused).isBetween(500, 1900);
  }

  private static boolean clash(List<MemoryRegion> regions) {
    for (int i = 0; i < regions.size(); i++) {
      for (int j = 0; j < i; j++) {
        MemoryRegion a = regions.get(i);
        MemoryRegion b = regions.get(j);
        boolean inGuest = a.guestAddress() < b.end() && b.guestAddress() < a.end();
        boolean inUser =
            a.userAddress() < b.userAddress() + b.size()
                && b.userAddress() < a.userAddress() + a.size();
        if (inGuest || inUser || a.name().equals(b.name())) {
          return true;
        }
      }
    }
    return false;
  }

  @Test
  void aRegionIsAlignedAndWithinTheAddressSpace() {
    long limit = MemoryRegion.ADDRESS_LIMIT;
    long[][] wrong = {
      {1, 4096}, {0, 1}, {0, 0}, {-4096, 4096}, {0, -4096}, {limit, 4096}, {limit - 4096, 8192}
    };
    for (long[] w : wrong) {
      assertThatThrownBy(() -> region("wrong", w[0], w[1]))
          .as("at %d, %d bytes", w[0], w[1])
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(region("last", limit - 4096, 4096).end()).isEqualTo(limit);
    OwnedDescriptor d = file.descriptor();
    assertThatThrownBy(() -> new MemoryRegion("r", 0, 4096, Long.MAX_VALUE - 4095, 0, d))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new MemoryRegion("r", 0, 4096, 0, -4096, d))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private MemoryRegion region(String name, long gpa, long size) {
    return new MemoryRegion(name, gpa, size, USER + gpa, 0, file.descriptor());
  }
}
