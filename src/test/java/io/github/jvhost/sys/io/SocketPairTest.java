package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SocketPairTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @Test
  void bytesGoBothWaysAndNothingElseIsOpened() throws Exception {
    Deadline soon = Deadline.in(20, TimeUnit.SECONDS);
    try (SocketPair pair = SocketPair.open(ledger, "t")) {
      assertThat(ledger.describeOpen())
          .hasSize(2)
          .allMatch(line -> line.startsWith("socket t"))
          .allMatch(line -> line.contains("SocketPairTest."));
      for (OwnedDescriptor end : new OwnedDescriptor[] {pair.one(), pair.other()}) {
        assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + end.number())))
            .as("close-on-exec, blocking")
            .contains("02000002");
      }
      try (PipeWriter writer = PipeWriter.adopt(pair.one().duplicate());
          PipeReader reader = PipeReader.adopt(pair.other().duplicate())) {
        writer.write(ByteBuffer.wrap(new byte[] {1, 2}), soon);
        assertThat(reader.read(ByteBuffer.allocate(4), soon)).isEqualTo(2);
      }
    }
    assertThat(ledger.openCount()).isZero();
  }
}
