package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryFileTest {
  private static final long GIB = 1L << 30;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void nobodyCanChangeTheSizeOfOurs() {
    try (MemoryFile file = MemoryFile.create(ledger, "ram", 8192)) {
      int number = file.descriptor().number();
      assertThat(file.size()).isEqualTo(8192);
      assertThat(file.sealedAgainstShrinking()).isTrue();
      int eperm = 1;
      assertThat(Linux.ftruncate(number, 4096)).isEqualTo(-eperm);
      assertThat(Linux.ftruncate(number, 16384)).isEqualTo(-eperm);
      assertThat(Linux.fcntl(number, Linux.F_ADD_SEALS, 8)).isEqualTo(-eperm);
    }
  }

  @Test
  void aPeersFileTellsItsSizeAndWhetherItCanShrink() {
    try (MemoryFile ours = MemoryFile.create(ledger, "ram", 12288);
        MemoryFile sealed = MemoryFile.adopt(ours.descriptor().duplicate())) {
      assertThat(sealed.size()).isEqualTo(12288);
      assertThat(sealed.sealedAgainstShrinking()).isTrue();
    }
    int number = Linux.memfdCreate("loose");
    assertThat(Linux.ftruncate(number, 4096)).isZero();
    try (MemoryFile loose = MemoryFile.adopt(OwnedDescriptor.adopt(ledger, number, "loose"))) {
      assertThat(loose.size()).isEqualTo(4096);
      assertThat(loose.sealedAgainstShrinking()).isFalse();
    }
    // An eventfd has neither seals nor a size: nothing of it can be mapped.
    OwnedDescriptor eventFd = EventFd.create(ledger, "no file").descriptor();
    try (MemoryFile none = MemoryFile.adopt(eventFd)) {
      assertThat(none.size()).isZero();
      assertThat(none.sealedAgainstShrinking()).isFalse();
      assertThatThrownBy(() -> none.map(0, 4096)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aFailureLeavesNothingOpen() {
    assertThatThrownBy(() -> MemoryFile.create(ledger, "n".repeat(300), 4096))
        .isInstanceOfSatisfying(
            SystemCallException.class, e -> assertThat(e.call()).isEqualTo("memfd_create"));
    try (MemoryFile vast = MemoryFile.create(ledger, "vast", 1L << 60)) {
      assertThatThrownBy(() -> vast.map(0, 1L << 60).close())
          .isInstanceOfSatisfying(
              SystemCallException.class, e -> assertThat(e.call()).isEqualTo("mmap"));
    }
    assertThatThrownBy(() -> MemoryFile.create(ledger, "none", 0))
        .isInstanceOf(IllegalArgumentException.class);
    OwnedDescriptor closed = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "closed");
    closed.close();
    assertThatThrownBy(() -> MemoryFile.adopt(closed)).isInstanceOf(IllegalStateException.class);
    assertThat(ledger.openCount()).isZero();
  }

  @Test
  void allMappingsSeeTheSameBytesAndOutliveTheFile() {
    MemoryFile file = MemoryFile.create(ledger, "ram", 3 * 4096);
    try (Mapping whole = file.map(0, 3 * 4096);
        Mapping second = file.map(4096, 4096)) {
      assertThat(whole.address()).isNotEqualTo(second.address());
      whole.segment().set(ValueLayout.JAVA_INT, 4096 + 8, 0x12345678);
      assertThat(second.segment().get(ValueLayout.JAVA_INT, 8)).isEqualTo(0x12345678);
      assertThat(second.size()).isEqualTo(4096);
      file.close();
      second.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 7);
      assertThat(whole.segment().get(ValueLayout.JAVA_BYTE, 4096)).isEqualTo((byte) 7);
    }
  }

  @Test
  void whatIsNotInsideTheFileOrNotAlignedIsNotMapped() {
    try (MemoryFile file = MemoryFile.create(ledger, "ram", 8192)) {
      long[][] wrong = {
        {0, 8193},
        {4096, 4097},
        {8192, 1},
        {-4096, 4096},
        {0, 0},
        {0, -1},
        {1, 4096},
        {4096, Long.MAX_VALUE},
        {Long.MAX_VALUE, 1}
      };
      for (long[] w : wrong) {
        assertThatThrownBy(() -> file.map(w[0], w[1]).close())
            .as("offset %d length %d", w[0], w[1])
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
  }

  @Test
  void aMappingMayExceedTwoGibibytesAndTakesMemoryOnlyWhereItWasTouched() {
    try (MemoryFile file = MemoryFile.create(ledger, "ram", 6 * GIB);
        Mapping mapping = file.map(0, 6 * GIB)) {
      MemorySegment bytes = mapping.segment();
      assertThat(mapping.residentPages()).isZero();
      bytes.set(ValueLayout.JAVA_LONG, 5 * GIB, -1L);
      bytes.set(ValueLayout.JAVA_LONG, 6 * GIB - 8, 42L);
      bytes.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
      assertThat(bytes.get(ValueLayout.JAVA_LONG, 5 * GIB)).isEqualTo(-1L);
      assertThat(bytes.get(ValueLayout.JAVA_LONG, 6 * GIB - 8)).isEqualTo(42L);
      assertThat(mapping.residentPages()).isEqualTo(3);
    }
  }

  @Test
  void aClosedMappingIsOutOfReach() {
    try (MemoryFile file = MemoryFile.create(ledger, "ram", 4096)) {
      Mapping mapping = file.map(0, 4096);
      MemorySegment part = mapping.segment().asSlice(16, 16);
      mapping.close();
      mapping.close();
      assertThatThrownBy(() -> part.get(ValueLayout.JAVA_BYTE, 0))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(mapping::residentPages).isInstanceOf(IllegalStateException.class);
    }
  }
}
