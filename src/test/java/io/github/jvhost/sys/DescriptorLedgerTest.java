package io.github.jvhost.sys;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.io.MemoryFile;
import org.junit.jupiter.api.Test;

class DescriptorLedgerTest {
  @Test
  void aTracingLedgerNamesWhereTheForgottenOneWasOpened() {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    EventFd kick = EventFd.create(ledger, "ring 3 kick");
    MemoryFile ram = MemoryFile.create(ledger, "guest ram", 4096);
    OwnedDescriptor copy = kick.descriptor().duplicate();
    int number = kick.descriptor().number();

    assertThat(ledger.openCount()).isEqualTo(3);
    assertThat(ledger.describeOpen()).hasSize(3);
    assertThat(ledger.describeOpen().get(0))
        .startsWith("eventfd ring 3 kick (fd " + number + "), opened at DescriptorLedgerTest.")
        .contains("(DescriptorLedgerTest.java:");
    assertThat(ledger.describeOpen().get(1)).startsWith("memfd guest ram (fd ");

    kick.close();
    ram.close();
    assertThat(ledger.describeOpen())
        .singleElement()
        .asString()
        .contains("eventfd ring 3 kick (fd " + copy.number() + ")");
    copy.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void behindALineOfTheLibraryIsTheLineThatCalledIt() {
    DescriptorLedger ledger = DescriptorLedger.tracing();

    // This class is in the library's package, so the program here is the one that calls it back.
    assertThat(ledger)
        .satisfies(library -> {
          try (EventFd _ = EventFd.create(library, "ring 0 call")) {
            assertThat(library.describeOpen())
                .singleElement()
                .asString()
                .containsPattern(
                    "opened at DescriptorLedgerTest[^,]+, called from \\S+\\(\\S+:\\d+\\)$")
                .doesNotContain("called from DescriptorLedgerTest");
          }
        });
  }

  @Test
  void aCountingLedgerNamesWhatButNotWhere() {
    DescriptorLedger ledger = DescriptorLedger.counting();
    try (EventFd call = EventFd.create(ledger, "ring 0 call")) {
      assertThat(ledger.describeOpen())
          .containsExactly("eventfd ring 0 call (fd " + call.descriptor().number() + ")");
    }
  }

  @Test
  void filesOfTwoLedgersAreNeverTheSame() {
    DescriptorLedger source = DescriptorLedger.counting();
    DescriptorLedger destination = DescriptorLedger.counting();
    try (EventFd a = EventFd.create(source, "ring 0 call");
        EventFd b = EventFd.create(destination, "ring 0 call")) {
      assertThat(a.descriptor()).isNotEqualTo(b.descriptor());
      assertThat(a.descriptor().identity()).hasToString("eventfd ring 0 call #1");
    }
  }

  @Test
  void theKernelAgreesWithTheLedger() {
    DescriptorLedger ledger = DescriptorLedger.counting();
    try (EventFd call = EventFd.create(ledger, "ring 0 call");
        MemoryFile ram = MemoryFile.create(ledger, "guest ram", 4096)) {
      assertThat(OpenDescriptors.list())
          .contains(call.descriptor().number() + " -> anon_inode:[eventfd]")
          .anyMatch(line -> line.startsWith(ram.descriptor().number() + " -> /memfd:guest ram"));
    }
  }
}
