package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OpenDescriptors;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.IllegalSelectorException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A link over a socket: it moves bytes, and every wait ends. */
@Timeout(30)
class SocketLinkTest {
  private SocketLink near;
  private SocketLink far;

  @BeforeEach
  void connect() throws IOException {
    Path directory = Files.createTempDirectory("jvhost");
    Path socket = directory.resolve("s");
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(socket));
      near = SocketLink.over(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
      far = SocketLink.over(listener.accept());
    } finally {
      Files.delete(socket);
      Files.delete(directory);
    }
  }

  @AfterEach
  void close() {
    near.close();
    far.close();
    near.close(); // a second time does nothing
  }

  private static Deadline brief() {
    return Deadline.after(Duration.ofMillis(30));
  }

  private static Deadline ample() {
    return Deadline.after(Duration.ofSeconds(20));
  }

  @Test
  void aChannelThatIsTakenOverIsClosedAlsoWhenThatFails() throws IOException {
    int before = OpenDescriptors.count();
    try (SocketChannel channel = new UnusableChannel()) {
      assertThatThrownBy(() -> SocketLink.over(channel))
          .isInstanceOf(IllegalSelectorException.class);
      assertThat(channel.isOpen()).isFalse();
    }
    assertThat(OpenDescriptors.count()).as("and so are the selectors").isLessThanOrEqualTo(before);

    SocketChannel closed = SocketChannel.open(StandardProtocolFamily.UNIX);
    closed.close();
    assertThatThrownBy(() -> SocketLink.over(closed))
        .isInstanceOf(MigrationException.class)
        .hasMessageStartingWith("migration link: setting up");
  }

  @Test
  void moreThanASocketHoldsArrivesInOrder() throws Exception {
    byte[] bytes = new byte[5 << 20];
    new SplittableRandom(1).nextBytes(bytes);
    CompletableFuture<byte[]> received = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          ByteBuffer into = ByteBuffer.allocate(bytes.length);
          far.receive(into, ample());
          received.complete(into.array());
        });

    near.send(ByteBuffer.wrap(bytes), ample());

    assertThat(received.get(20, TimeUnit.SECONDS)).isEqualTo(bytes);
  }

  /** A link that takes longer for all of it than a peer may be silent is slow, and not gone. */
  @Test
  void whatTheOtherSideTakesRestartsTheDeadlineOfWhoeverSends() throws Exception {
    Deadline silence = ample();
    long allowed = silence.allowed().toNanos();
    FutureTask<@Nullable Void> sending =
        new FutureTask<>(() -> near.send(ByteBuffer.allocate(32 << 20), silence), null);
    Thread.ofPlatform().daemon().start(sending);

    boolean restarted = false;
    for (int i = 0; i < 3 && !restarted; i++) {
      long late = allowed - TimeUnit.MILLISECONDS.toNanos(300L * (i + 1));
      await(() -> silence.remainingNanos() < late);
      long before = silence.remainingNanos();
      far.receive(ByteBuffer.allocate(4 << 20), ample());
      restarted = await(() -> silence.remainingNanos() > before);
    }

    assertThat(restarted).as("something was taken, so its time begins anew").isTrue();
    near.close();
    assertThatThrownBy(() -> sending.get(20, TimeUnit.SECONDS)).isInstanceOf(Exception.class);
  }

  /** Whether it came to that in a few seconds. */
  private static boolean await(BooleanSupplier condition) {
    Deadline bound = Deadline.after(Duration.ofSeconds(5));
    while (!condition.getAsBoolean() && !bound.expired()) {
      LockSupport.parkNanos(100_000);
    }
    return condition.getAsBoolean();
  }

  @Test
  void aPeerThatNeverWrites() {
    assertThat(near.awaitReadable(brief())).isFalse();
    assertThatThrownBy(() -> near.receive(ByteBuffer.allocate(1), brief()))
        .isInstanceOf(DeadlineException.class)
        .hasMessage("migration link: waiting for the other side took longer than 30 ms");
  }

  @Test
  void aPeerThatWritesHalf() {
    far.send(ByteBuffer.allocate(3), ample());
    ByteBuffer into = ByteBuffer.allocate(4);

    assertThat(near.awaitReadable(ample())).isTrue();
    assertThatThrownBy(() -> near.receive(into, brief())).isInstanceOf(DeadlineException.class);
    assertThat(into.remaining()).isEqualTo(1);
  }

  @Test
  void aPeerThatNeverReads() {
    ByteBuffer much = ByteBuffer.allocate(16 << 20);

    assertThatThrownBy(() -> near.send(much, brief()))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("sending to the other side took longer than 30 ms");
    assertThat(much.hasRemaining()).as("what was not sent remains").isTrue();
  }

  @Test
  void aClosedPeer() {
    far.close();

    assertThat(near.awaitReadable(ample())).as("there is an end to be read").isTrue();
    assertThatThrownBy(() -> near.receive(ByteBuffer.allocate(1), ample()))
        .isInstanceOf(MigrationException.class)
        .hasMessage("migration link: the other side closed it");
    assertThatThrownBy(() -> near.send(ByteBuffer.allocate(1), ample()))
        .isInstanceOf(MigrationException.class)
        .hasMessageContaining("sending to the other side");
  }

  @Test
  void closedOnThisSide() {
    near.close();

    assertThatThrownBy(() -> near.receive(ByteBuffer.allocate(1), ample()))
        .isInstanceOf(MigrationException.class)
        .hasMessageContaining("closed on this side");
    assertThatThrownBy(() -> near.send(ByteBuffer.allocate(1), ample()))
        .isInstanceOf(MigrationException.class)
        .hasMessageContaining("closed on this side");
    assertThatThrownBy(() -> near.awaitReadable(ample()))
        .isInstanceOf(MigrationException.class)
        .hasMessageContaining("closed on this side");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void closedWhileSomebodyWaits(boolean inTheSelector)
      throws InterruptedException, TimeoutException {
    var waiting = new FutureTask<>(() -> near.receive(ByteBuffer.allocate(1), ample()), true);
    Thread thread = Thread.ofPlatform().daemon().start(waiting);
    // It waits in its selector, or will find the link closed when it gets there: both have to end.
    Deadline patience = ample();
    while (inTheSelector && !isInSelector(thread)) {
      assertThat(patience.remainingNanos()).isPositive();
      Thread.onSpinWait();
    }

    near.close();

    try {
      waiting.get(20, TimeUnit.SECONDS);
      throw new AssertionError("received from a closed link");
    } catch (ExecutionException e) {
      assertThat(e.getCause())
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("closed on this side");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anInterruptIsPutOffAndTheLinkLives(boolean inTheSelector) throws Exception {
    AtomicBoolean interruptedBehind = new AtomicBoolean();
    var waiting =
        new FutureTask<>(() -> {
          ByteBuffer into = ByteBuffer.allocate(2);
          near.receive(into, ample());
          interruptedBehind.set(Thread.currentThread().isInterrupted());
          near.send(ByteBuffer.allocate(1), ample());
          return into.get(1);
        });
    Thread thread = Thread.ofPlatform().daemon().unstarted(waiting);
    thread.start();
    Deadline patience = ample();
    while (inTheSelector && !isInSelector(thread)) {
      assertThat(patience.remainingNanos()).isPositive();
      Thread.onSpinWait();
    }

    thread.interrupt();
    far.send(ByteBuffer.wrap(new byte[] {1}), ample());
    thread.interrupt();
    far.send(ByteBuffer.wrap(new byte[] {2}), ample());

    assertThat(waiting.get(20, TimeUnit.SECONDS)).isEqualTo((byte) 2);
    assertThat(interruptedBehind).as("handed on").isTrue();
    far.receive(ByteBuffer.allocate(1), ample());
  }

  @Test
  void anInterruptedThreadMayLookAndSend() {
    Thread.currentThread().interrupt();
    try {
      assertThat(near.awaitReadable(brief())).isFalse();
      near.send(ByteBuffer.allocate(1), ample());
      far.receive(ByteBuffer.allocate(1), ample());
      assertThatThrownBy(() -> near.receive(ByteBuffer.allocate(1), brief()))
          .isInstanceOf(DeadlineException.class);
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void whatArrivesInPartsIsNoSilence() {
    far.send(ByteBuffer.allocate(1), ample());
    Deadline silence = Deadline.after(Duration.ofSeconds(1));
    while (!silence.expired()) {
      Thread.onSpinWait();
    }
    Thread writer =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              while (silence.expired()) {
                Thread.onSpinWait(); // until the first byte was taken
              }
              far.send(ByteBuffer.allocate(1), ample());
            });

    near.receive(ByteBuffer.allocate(2), silence);

    assertThat(writer).isNotNull();
  }

  private static boolean isInSelector(Thread thread) {
    return Arrays.stream(thread.getStackTrace())
        .anyMatch(f -> f.getMethodName().equals("doSelect"));
  }
}
