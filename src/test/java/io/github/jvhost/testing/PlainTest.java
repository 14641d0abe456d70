package io.github.jvhost.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlainTest {
  @Test
  void withoutTheExtension(@TempDir Path directory) {
    // guide: without JUnit
    DescriptorLedger ledger = DescriptorLedger.tracing();
    Path socket = directory.resolve("s"); // at most 107 bytes, and nothing is there
    try (MockBackEnd backEnd = MockBackEnd.builder(socket, ledger).start()) {
      try (MyVmm vmm = new MyVmm(socket, ledger)) {
        vmm.boot();
      }
      assertEquals(List.of(), backEnd.record().violations());
    }
    assertEquals(List.of(), ledger.describeOpen());
    // guide: end
  }
}
