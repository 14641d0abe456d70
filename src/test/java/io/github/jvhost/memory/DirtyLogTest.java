package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DirtyLogTest {
  private static final long CHUNK = 256 << 10;

  /** As a C back end does it: an atomic OR of one byte, here of the byte's 32-bit word. */
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void itHasEightBytesForEach256KibibytesUpToTheHighestAddress() {
    assertThat(sizeFor(0, 4096)).isEqualTo(8);
    assertThat(sizeFor(0, CHUNK)).isEqualTo(8);
    assertThat(sizeFor(0, CHUNK + 4096)).isEqualTo(16);
    assertThat(sizeFor(4L << 30, 4096)).isEqualTo(8 * ((4L << 30) / CHUNK + 1));
    try (DirtyLog log = DirtyLog.create(ledger, MemoryTable.EMPTY)) {
      assertThat(log.size()).isEqualTo(8);
    }
  }

  @Test
  void bytePOver8BitPModulo8IsPageP() {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 4 * CHUNK).build();
        DirtyLog log = DirtyLog.create(ledger, memory.table());
        MemoryFile backEnds = MemoryFile.adopt(log.descriptor().duplicate());
        Mapping bits = backEnds.map(0, log.size())) {
      assertThat(backEnds.sealedAgainstShrinking()).isTrue();
      bits.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 0b0000_0001);
      bits.segment().set(ValueLayout.JAVA_BYTE, 1, (byte) 0b1000_0010);
      bits.segment().set(ValueLayout.JAVA_BYTE, 31, (byte) 0b1000_0000);
      DirtyBitmap target = new DirtyBitmap(memory.table().highestAddress());
      target.mark(0, 1);
      assertThat(log.collectInto(target)).isEqualTo(4);
      assertThat(GuestMemoryTest.pages(target))
          .containsExactly(0L, 9 * 4096L, 15 * 4096L, 255 * 4096L);
      for (long i = 0; i < log.size(); i++) {
        assertThat(bits.segment().get(ValueLayout.JAVA_BYTE, i)).isZero();
      }
      assertThat(log.collectInto(target)).isZero();
      assertThat(target.count()).isEqualTo(4);
    }
  }

  @Test
  void itCoversATableUpToItsLastChunk() {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, CHUNK - 4096).build();
        DirtyLog log = DirtyLog.create(ledger, memory.table())) {
      memory.addRegion("same chunk", CHUNK - 4096, 4096);
      assertThat(sizeFor(memory.table())).isEqualTo(log.size());
      memory.addRegion("next chunk", CHUNK, 4096);
      assertThat(sizeFor(memory.table())).isGreaterThan(log.size());
    }
  }

  @Test
  void aTargetThatIsTooSmallLosesNothing() {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 2 * CHUNK).build();
        DirtyLog log = DirtyLog.create(ledger, memory.table());
        MemoryFile backEnds = MemoryFile.adopt(log.descriptor().duplicate());
        Mapping bits = backEnds.map(0, log.size())) {
      bits.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
      DirtyBitmap small = new DirtyBitmap(0);
      assertThatThrownBy(() -> log.collectInto(small)).isInstanceOf(IllegalArgumentException.class);
      assertThat(log.collectInto(new DirtyBitmap(2 * CHUNK))).isEqualTo(1);
    }
  }

  @Test
  void aClosedLogIsOutOfReach() {
    DirtyLog log = DirtyLog.create(ledger, MemoryTable.EMPTY);
    log.close();
    log.close();
    DirtyBitmap target = new DirtyBitmap(0);
    assertThatThrownBy(() -> log.collectInto(target)).isInstanceOf(IllegalStateException.class);
  }

  /** The back end's side through a mapping of its own: it writes, then ORs the page's bit. */
  @Test
  void noPageIsLostBetweenABackEndAndTheCollector() throws InterruptedException {
    int pages = 63;
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, pages * 4096L).build();
        DirtyLog log = DirtyLog.create(ledger, memory.table());
        MemoryFile backEnds = MemoryFile.adopt(log.descriptor().duplicate());
        Mapping bits = backEnds.map(0, log.size())) {
      DirtyBitmap dirty = new DirtyBitmap(memory.table().highestAddress());
      assertThat(
              LostPages.hunt(
                  pages,
                  page -> WORD.getAndBitwiseOr(bits.segment(), page / 32 * 4L, 1 << page % 32),
                  copy -> {
                    log.collectInto(dirty);
                    dirty.drain(copy);
                  }))
          .isEmpty();
    }
  }

  /**
   * Marks that a back end makes while its log is exchanged for another one are in the old or in the
   * new one.
   */
  @Test
  void noMarkIsLostWhileLogsAreExchanged() throws InterruptedException {
    int pages = 96;
    int rounds = 300;
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, pages * 4096L).build()) {
      DirtyBitmap dirty = new DirtyBitmap(1 << 30);
      DirtyLog[] log = {DirtyLog.create(ledger, memory.table())};
      int[] switches = {0};
      try (SwitchedLogs backEnd = new SwitchedLogs(log[0])) {
        AtomicIntegerArray collected =
            backEnd.run(
                pages,
                rounds,
                (turn, counts) -> {
                  if (turn % 8 == 7) {
                    boolean grow = memory.table().regions().size() == 1;
                    if (grow) {
                      memory.addRegion("more", 1 << 29, 4096);
                    } else {
                      memory.removeRegion("more");
                    }
                    DirtyLog before = log[0];
                    log[0] = DirtyLog.create(ledger, memory.table());
                    assertThat(log[0].size()).isNotEqualTo(before.size());
                    backEnd.tell(log[0]);
                    before.collectInto(dirty);
                    before.close();
                    switches[0]++;
                  } else {
                    log[0].collectInto(dirty);
                  }
                  dirty.drain(gpa -> counts.incrementAndGet((int) (gpa / 4096)));
                });
        for (int page = 0; page < pages; page++) {
          assertThat(collected.get(page)).as("page %d", page).isEqualTo(rounds);
        }
        assertThat(switches[0]).isPositive();
      }
      log[0].close();
    }
  }

  @Test
  void aLargerLogTakesOverFromOneThatIsCollectedAndClosed() {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, CHUNK).build()) {
      DirtyLog log = DirtyLog.create(ledger, memory.table());
      assertThat(log.size()).isEqualTo(8);
      memory.addRegion("more", 2 * CHUNK, 4096);
      DirtyBitmap dirty = new DirtyBitmap(memory.table().highestAddress());
      try (DirtyLog grown = DirtyLog.create(ledger, memory.table());
          MemoryFile backEnds = MemoryFile.adopt(log.descriptor().duplicate());
          Mapping bits = backEnds.map(0, log.size())) {
        assertThat(grown.size()).isEqualTo(24);
        assertThat(grown.descriptor()).isNotEqualTo(log.descriptor());
        bits.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 3);
        assertThat(log.collectInto(dirty)).isEqualTo(2);
        log.close();
        assertThat(log.descriptor().isOpen()).isFalse();
        assertThatThrownBy(() -> log.collectInto(dirty)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> grown.collectInto(new DirtyBitmap(0)))
            .isInstanceOf(IllegalArgumentException.class);
        assertThat(grown.descriptor().isOpen()).isTrue();
        memory.removeRegion("more");
        assertThat(sizeFor(memory.table())).isEqualTo(8);
      }
    }
  }

  @Test
  void aLogOfManyRegions() {
    GuestMemory.Builder builder = GuestMemory.builder(ledger).file("ram", 512 * 4096L);
    for (int i = 0; i < 512; i++) {
      builder.region("r" + i, i * 5L * 4096, 4096, "ram", i * 4096L);
    }
    try (GuestMemory memory = builder.build();
        DirtyLog log = DirtyLog.create(ledger, memory.table());
        MemoryFile backEnds = MemoryFile.adopt(log.descriptor().duplicate());
        Mapping bits = backEnds.map(0, log.size())) {
      for (int page = 0; page < 511 * 5 + 1; page++) {
        WORD.getAndBitwiseOr(bits.segment(), page / 32 * 4L, 1 << page % 32);
      }
      DirtyBitmap dirty = new DirtyBitmap(memory.table().highestAddress());
      assertThat(log.collectInto(dirty)).isEqualTo(511 * 5 + 1);
      List<Long> inMemory = new ArrayList<>();
      dirty.drain(gpa -> {
        if (memory.table().contains(gpa, 4096)) {
          inMemory.add(gpa);
        }
      });
      assertThat(inMemory).hasSize(512).isSorted();
    }
  }

  private long sizeFor(long gpa, long size) {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", gpa, size).build()) {
      return sizeFor(memory.table());
    }
  }

  private long sizeFor(MemoryTable table) {
    try (DirtyLog log = DirtyLog.create(ledger, table)) {
      return log.size();
    }
  }
}
