package io.github.jvhost.mediate.keep;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Frames that are mutated or made of noise, to the decoder and to a keeper that serves. {@code
 * -Djvhost.fuzz.cases=N} sets how many, {@code -Djvhost.fuzz.seed=N} repeats a run.
 */
@Timeout(120)
class FrameFuzzTest {
  private static final int CASES = Integer.getInteger("jvhost.fuzz.cases", 50_000);
  private static final long SEED = Long.getLong("jvhost.fuzz.seed", 0x5eed_0019L);

  /** A connection each, which costs more than a call. */
  private static final int CONNECTIONS = CASES / 50;

  private final SplittableRandom random = new SplittableRandom(SEED);

  private String name(int most) {
    return random
        .ints(1 + random.nextInt(most), ' ', '~' + 1)
        .filter(c -> c != ':')
        .limit(StoredName.LONGEST)
        .collect(() -> new StringBuilder("n"), (s, c) -> s.append((char) c), StringBuilder::append)
        .toString();
  }

  private Frame frame() {
    String name = name(random.nextInt(8) == 0 ? StoredName.LONGEST - 1 : 8);
    return switch (random.nextInt(6)) {
      case 0 -> new Frame.Put(name);
      case 1 -> new Frame.Remove(name);
      case 2 -> new Frame.Next(random.nextBoolean() ? "" : name);
      case 3 -> new Frame.Done();
      case 4 -> new Frame.Entry(name);
      default -> new Frame.Refused(random.nextBoolean() ? "" : name + ": why");
    };
  }

  private static Frame decoded(byte[] bytes) {
    Frame.Header header = Frame.Header.decode(Arrays.copyOf(bytes, Frame.HEADER_BYTES));
    int end = Frame.HEADER_BYTES + header.length();
    return header.with(Arrays.copyOfRange(bytes, Frame.HEADER_BYTES, end));
  }

  private byte[] mutated(byte[] bytes) {
    for (int i = random.nextInt(3); i > 0; i--) {
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
    }
    return bytes;
  }

  @Test
  void aFrameIsReadAsItWasWritten() {
    for (int i = 0; i < CASES; i++) {
      Frame frame = frame();
      if (frame instanceof Frame.Refused(String reason) && !StoredName.isPrintable(reason)) {
        continue; // with ": why" it may be too long
      }
      assertThat(decoded(frame.encoded())).isEqualTo(frame);
    }
  }

  @Test
  void anyBytesAreAFrameThatIsWrittenTheSameOrOneException() {
    int frames = 0;
    for (int i = 0; i < CASES; i++) {
      byte[] bytes = new byte[Frame.HEADER_BYTES + Frame.LONGEST_TEXT];
      random.nextBytes(bytes);
      if (random.nextInt(10) > 0) {
        byte[] right = mutated(frame().encoded());
        System.arraycopy(right, 0, bytes, 0, Math.min(right.length, bytes.length));
      }
      try {
        byte[] again = decoded(bytes).encoded();
        assertThat(Arrays.copyOf(bytes, again.length)).isEqualTo(again);
        frames++;
      } catch (VhostException e) {
        assertThat(e).hasMessageStartingWith("reading a keeper's frame: ");
      }
    }
    assertThat(frames).isBetween(CASES / 10, CASES);
  }

  @Test
  void aHostileClientEndsItsConnectionAndNothingElse() throws Exception {
    Path directory = Files.createTempDirectory("jvhost");
    var ledger = DescriptorLedger.tracing();
    var keeper = KeeperThread.start(directory.resolve("keep"));
    try (EventFd event = EventFd.create(ledger, "event")) {
      try (var store = KeeperStore.connect(keeper.path(), ledger, Duration.ofSeconds(20))) {
        store.put("~good", event.descriptor());
      }
      for (int i = 0; i < CONNECTIONS; i++) {
        attack(keeper.path(), ledger, event.descriptor());
      }
      try (var store = KeeperStore.connect(keeper.path(), ledger, Duration.ofSeconds(20))) {
        Map<String, OwnedDescriptor> left = store.takeUp();
        assertThat(left).containsKey("~good");
        // Its listening socket is the library's own, so only the client's socket is there besides.
        assertThat(keeper.ledger().openCount()).isEqualTo(left.size() + 1);
        left.values().forEach(OwnedDescriptor::close);
      }
    } finally {
      keeper.close();
    }
    assertThat(keeper.ledger().describeOpen()).isEmpty();
    assertThat(ledger.describeOpen()).isEmpty();
    Files.delete(directory);
  }

  /** Sends some frames, right and wrong ones, with some descriptors, and hangs up. */
  private void attack(Path path, DescriptorLedger ledger, OwnedDescriptor event) {
    Deadline deadline = Deadline.after(Duration.ofSeconds(20));
    List<OwnedDescriptor> arrived = new ArrayList<>();
    try (var socket =
            new SocketStream(
                Connector.connect(path, "attacker", "keeper", deadline), "attacker", ledger);
        Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(4096);
      assertThat(socket.await(Poller.IN, deadline.remainingNanos())).isEqualTo(Poller.IN);
      assertThat(socket.read(buffer, 0, 4096, arrived)).isEqualTo(Frame.HEADER_BYTES);
      for (int i = random.nextInt(4); i >= 0; i--) {
        byte[] bytes = mutated(frame().encoded());
        int length = random.nextInt(4) == 0 ? 1 + random.nextInt(bytes.length) : bytes.length;
        MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, length);
        int most = random.nextInt(20) == 0 ? 20 : 2;
        socket.write(buffer, 0, length, Collections.nCopies(random.nextInt(most + 1), event));
      }
      if (random.nextBoolean()) {
        // Sees what comes back, if anything does.
        socket.await(Poller.IN, 1_000_000);
        socket.readIfAny(buffer, 0, 4096, arrived);
      }
    } catch (VhostException e) {
      // The keeper has hung up already.
    } finally {
      arrived.forEach(OwnedDescriptor::close);
    }
  }
}
