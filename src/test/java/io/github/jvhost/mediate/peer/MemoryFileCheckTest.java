package io.github.jvhost.mediate.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketPair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryFileCheckTest {
  private static final long SIZE = 65536;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"0, 65536", "4096, 61440", "0, 4096"})
  void aRegionInsideItsFileIsAccepted(long offset, long size) {
    try (var file = MemoryFile.create(ledger, "ram", SIZE)) {
      assertThatCode(() -> MemoryFileCheck.require(file.descriptor(), offset, size))
          .doesNotThrowAnyException();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 65537",
    "4096, 65536",
    "65536, 4096",
    "-4096, 4096",
    "0, 0",
    "0, -1",
    "9223372036854775807, 9223372036854775807"
  })
  void aRegionThatEndsBehindItsFileIsRefused(long offset, long size) {
    try (var file = MemoryFile.create(ledger, "ram", SIZE)) {
      assertThatThrownBy(() -> MemoryFileCheck.require(file.descriptor(), offset, size))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("memfd ram")
          .hasMessageContaining("it has 65536 bytes");
    }
  }

  /** Read only, write only, and a descriptor that only names the file. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, Linux.O_PATH, Linux.O_PATH | Linux.O_RDWR})
  void aDescriptorThatCannotBothReadAndWriteIsRefused(int flags) {
    try (var file = MemoryFile.create(ledger, "ram", SIZE);
        var again = opened("/proc/self/fd/" + file.descriptor().number(), flags)) {
      assertThatThrownBy(() -> MemoryFileCheck.require(again, 0, SIZE))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("not open for reading and writing");
    }
  }

  @Test
  void whatIsNoRegularFileIsRefused() {
    try (var pair = SocketPair.open(ledger, "pair");
        var zero = opened("/dev/zero", Linux.O_RDWR)) {
      assertThatThrownBy(() -> MemoryFileCheck.require(pair.one(), 0, SIZE))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("no regular file");
      assertThatThrownBy(() -> MemoryFileCheck.require(zero, 0, SIZE))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("no regular file");
    }
  }

  private OwnedDescriptor opened(String path, int flags) {
    return OwnedDescriptor.adopt(
        ledger, Linux.check(Linux.open(path, flags), "open " + path, "open"), "test");
  }
}
