package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PipeTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeft() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static Deadline soon() {
    return Deadline.in(20, TimeUnit.SECONDS);
  }

  private static Deadline now() {
    return Deadline.in(0, TimeUnit.SECONDS);
  }

  @Test
  void bytesComeOutAndThenTheEnd() {
    try (Pipe pipe = Pipe.open(ledger, "t");
        PipeReader reader = PipeReader.adopt(pipe.readEnd())) {
      PipeWriter writer = PipeWriter.adopt(pipe.writeEnd());
      ByteBuffer three = ByteBuffer.wrap(new byte[] {7, 8, 9}).position(1);
      assertThat(writer.write(three, soon())).isEqualTo(2);
      assertThat(three.hasRemaining()).isFalse();
      assertThat(writer.write(three, soon())).as("nothing to write").isZero();
      ByteBuffer into = ByteBuffer.allocate(10).position(1);
      assertThat(reader.read(into, soon())).isEqualTo(2);
      assertThat(into.array()).startsWith(0, 8, 9, 0);
      assertThat(reader.read(into, now())).as("nothing there").isZero();
      writer.close();
      assertThat(reader.read(into, soon())).isEqualTo(-1);
      assertThatThrownBy(() -> reader.read(ByteBuffer.allocate(0), soon()))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aReaderThatDoesNotReadHoldsNobodyPastTheDeadline() {
    try (Pipe pipe = Pipe.open(ledger, "t");
        PipeWriter writer = PipeWriter.adopt(pipe.writeEnd())) {
      ByteBuffer much = ByteBuffer.allocateDirect(1 << 20);
      int taken = 0;
      for (int n = writer.write(much, soon()); n != 0; n = writer.write(much, now())) {
        taken += n;
      }
      assertThat(taken).isEqualTo(much.position()).isBetween(4096, (1 << 20) - 1);
    }
  }

  @Test
  void aReaderThatIsGoneIsSaid() {
    try (Pipe pipe = Pipe.open(ledger, "t");
        PipeWriter writer = PipeWriter.adopt(pipe.writeEnd())) {
      pipe.readEnd().close();
      assertThatThrownBy(() -> writer.write(ByteBuffer.allocate(1), soon()))
          .isInstanceOf(SystemCallException.class)
          .hasMessageContaining("EPIPE (nobody reads)");
    }
  }

  @Test
  void megabytesGoThroughInOrder() throws Exception {
    byte[] sent = new byte[3 << 20];
    new SplittableRandom(5).nextBytes(sent);
    try (Pipe pipe = Pipe.open(ledger, "t");
        PipeReader reader = PipeReader.adopt(pipe.readEnd())) {
      FutureTask<Integer> writing =
          new FutureTask<>(() -> {
            ByteBuffer from = ByteBuffer.wrap(sent);
            try (PipeWriter writer = PipeWriter.adopt(pipe.writeEnd())) {
              int count = 1;
              while (from.hasRemaining() && count > 0) {
                count = writer.write(from, soon());
              }
            }
            return from.remaining();
          });
      Thread.ofPlatform().daemon().start(writing);
      ByteBuffer into = ByteBuffer.allocate(sent.length + 1);
      int count = 1;
      while (count > 0) {
        count = reader.read(into, soon());
      }
      assertThat(count).as("the end").isEqualTo(-1);
      assertThat(writing.get(20, TimeUnit.SECONDS)).isZero();
      assertThat(into.position()).isEqualTo(sent.length);
      assertThat(into.array()).startsWith(sent);
    }
  }

  @Test
  void theOtherEndStaysBlockingForWhomeverItIsSentTo() {
    try (Pipe pipe = Pipe.open(ledger, "t")) {
      try (PipeReader reader = PipeReader.adopt(pipe.readEnd().duplicate())) {
        assertThat(Linux.fcntl(reader.descriptor().number(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK)
            .isNotZero();
      }
      assertThat(Linux.fcntl(pipe.writeEnd().number(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK)
          .isZero();
    }
  }

  @Test
  void theLedgerNamesBothEndsAndWhoOpenedThem() {
    try (Pipe _ = Pipe.open(ledger, "state of net0")) {
      assertThat(ledger.describeOpen())
          .hasSize(2)
          .allMatch(line -> line.startsWith("pipe state of net0, "))
          .allMatch(line -> line.contains("PipeTest."));
    }
  }

  @Test
  void aNumberThatIsGivenAwayIsNobodysUntilItIsAdopted() {
    try (Pipe pipe = Pipe.open(ledger, "t")) {
      int number = pipe.readEnd().release();
      assertThat(pipe.readEnd().isOpen()).isFalse();
      assertThat(ledger.openCount()).isEqualTo(1);
      pipe.readEnd().close();
      try (OwnedDescriptor again = OwnedDescriptor.adopt(ledger, number, "again")) {
        assertThat(again.number()).as("the close above did not close it").isEqualTo(number);
      }
      assertThatThrownBy(() -> pipe.readEnd().release()).isInstanceOf(IllegalStateException.class);
    }
  }
}
