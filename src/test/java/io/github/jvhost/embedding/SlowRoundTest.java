package io.github.jvhost.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The guide's stream while a round of RAM goes on: it is busy, and not silent. */
@Timeout(120)
class SlowRoundTest {
  private static final int PAGE = 4096;

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final GuestMemory memory =
      GuestMemory.builder(ledger).region("ram", 0, 64 * PAGE).build();
  private VmmStream out;
  private VmmStream in;

  @BeforeEach
  void connect() throws Exception {
    var address = UnixDomainSocketAddress.of(directory.resolve("m"));
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(address);
      out = new VmmStream(SocketChannel.open(address), memory);
      in = new VmmStream(listener.accept(), memory);
    }
  }

  @AfterEach
  void close() {
    out.close();
    in.close();
    memory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void aRoundOfRamMayTakeLongerThanTheOtherSideMayBeSilent() throws Exception {
    Deadline silence = Deadline.after(Duration.ofSeconds(2));
    var received =
        new FutureTask<>(() -> {
          ByteBuffer into = ByteBuffer.allocate(4);
          in.receive(into, silence);
          return into.getInt(0);
        });
    Thread.ofPlatform().daemon().start(received);
    long begun = System.nanoTime();
    for (int page = 0; System.nanoTime() - begun < TimeUnit.SECONDS.toNanos(3); page++) {
      out.sendRam((long) page * PAGE, PAGE);
      awaitRestart(silence);
      awaitLess(silence);
    }

    out.send(ByteBuffer.allocate(4).putInt(4711).flip(), Deadline.after(Duration.ofSeconds(60)));

    assertThat(received.get(60, TimeUnit.SECONDS)).isEqualTo(4711);
  }

  /** Until somebody has taken the frame that was sent. */
  private static void awaitRestart(Deadline silence) {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
    while (silence.remainingNanos() < TimeUnit.MILLISECONDS.toNanos(1_500)
        && System.nanoTime() < until) {
      Thread.onSpinWait();
    }
  }

  /** Until a good part of the time has passed in silence. */
  private static void awaitLess(Deadline silence) {
    while (silence.remainingNanos() > TimeUnit.MILLISECONDS.toNanos(1_400)) {
      Thread.onSpinWait();
    }
  }

  @Test
  void silenceEnds() {
    assertThatThrownBy(
            () -> in.receive(ByteBuffer.allocate(4), Deadline.after(Duration.ofMillis(50))))
        .isInstanceOf(DeadlineException.class);
  }
}
