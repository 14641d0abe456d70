package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import org.junit.jupiter.api.Test;

class FileStatTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @Test
  void aDuplicateIsTheSameFileAndAnotherFileIsNot() {
    try (var one = MemoryFile.create(ledger, "one", 8192);
        var other = MemoryFile.create(ledger, "other", 8192);
        var duplicate = one.descriptor().duplicate()) {
      FileStat stat = FileStat.of(one.descriptor());
      assertThat(stat.size()).isEqualTo(8192);
      assertThat(stat.regular()).isTrue();
      assertThat(stat.isSameFile(FileStat.of(duplicate))).isTrue();
      assertThat(stat.isSameFile(FileStat.of(other.descriptor()))).isFalse();
    }
  }

  @Test
  void aSocketIsNoRegularFile() {
    try (var pair = SocketPair.open(ledger, "pair")) {
      assertThat(FileStat.of(pair.one()).regular()).isFalse();
    }
  }
}
