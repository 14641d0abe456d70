package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.Mapping;
import io.github.jvhost.sys.MemoryFile;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
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
      assertThat(log.covers(memory.table())).isTrue();
      memory.addRegion("same chunk", CHUNK - 4096, 4096);
      assertThat(log.covers(memory.table())).isTrue();
      memory.addRegion("next chunk", CHUNK, 4096);
      assertThat(log.covers(memory.table())).isFalse();
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

  private long sizeFor(long gpa, long size) {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", gpa, size).build();
        DirtyLog log = DirtyLog.create(ledger, memory.table())) {
      return log.size();
    }
  }
}
