package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.testkit.MockBackEnd;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A front end that says what it may not: its connection ends, and the next one is served. */
class FrontEndNonsenseTest {
  private static final int VERSION = 1;
  private static final int NEED_REPLY = 8;
  private static final int RAM = 1 << 20;

  @TempDir private Path directory;

  private final DescriptorLedger own = DescriptorLedger.tracing();

  private BackEndConnection connect(MediatedGuest guest) {
    return BackEndConnection.connect(
        guest.directory.resolve("net0"), "front end", own, MediatedGuest.soon());
  }

  private static byte[] bytes(long... words) {
    ByteBuffer to = ByteBuffer.allocate(8 * words.length).order(ByteOrder.nativeOrder());
    for (long word : words) {
      to.putLong(word);
    }
    return to.array();
  }

  private static void send(
      BackEndConnection to, FrontEndRequest request, byte[] payload, OwnedDescriptor... files) {
    int id = Dialect.UPSTREAM.idOf(request).orElseThrow();
    to.reply(id, VERSION, payload, List.of(files), MediatedGuest.soon());
  }

  /** Until the mediator hangs up, with its answers thrown away. */
  private static void awaitHangUp(BackEndConnection from) {
    Deadline deadline = MediatedGuest.soon();
    try {
      while (true) {
        from.receive(deadline).descriptors().forEach(OwnedDescriptor::close);
      }
    } catch (VhostException e) {
      assertThat(deadline.expired()).as(e.getMessage()).isFalse();
    }
  }

  private static byte[] table(long size, long offset) {
    return bytes(1, 0, size, 0x7f00_0000_0000L, offset);
  }

  @Test
  void theConnectionEndsAndTheNextFrontEndIsServed() {
    try (MediatedGuest guest = new MediatedGuest(directory, MediatedGuest.ANSWERS);
        MemoryFile ram = MemoryFile.create(own, "ram", RAM);
        OwnedDescriptor readOnly =
            OwnedDescriptor.adopt(own, Linux.open("/proc/self/exe", Linux.O_NOCTTY), "a file")) {
      MockBackEnd a = guest.startSwitch("a");
      List<Nonsense> all = new ArrayList<>();
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, table(2L * RAM, 0), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, table(RAM, 4096), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, table(RAM, -4096), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, table(0, 0), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, table(RAM, 0)));
      all.add(c ->
          send(
              c, FrontEndRequest.SET_MEM_TABLE, table(RAM, 0), ram.descriptor(), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, table(4096, 0), readOnly));
      all.add(c -> send(c, FrontEndRequest.SET_MEM_TABLE, bytes(1), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_LOG_BASE, bytes(2L * RAM, 0), ram.descriptor()));
      all.add(c -> send(c, FrontEndRequest.SET_LOG_BASE, bytes(RAM, 0)));
      all.add(c -> send(c, FrontEndRequest.SET_FEATURES, bytes(-1)));
      all.add(c -> send(c, FrontEndRequest.SET_PROTOCOL_FEATURES, bytes(-1)));
      all.add(c -> send(c, FrontEndRequest.SET_VRING_NUM, bytes(0x100L << 32 | 4000)));
      all.add(c -> send(c, FrontEndRequest.SET_VRING_NUM, bytes(0)));
      all.add(c -> send(c, FrontEndRequest.SET_VRING_KICK, bytes(0)));
      all.add(c -> send(c, FrontEndRequest.SET_STATUS, bytes(0x1ff)));
      all.add(c -> send(c, FrontEndRequest.NET_SET_MTU, bytes(1)));
      all.add(c -> send(c, FrontEndRequest.POSTCOPY_ADVISE, new byte[0]));
      all.add(c -> send(c, FrontEndRequest.GET_INFLIGHT_FD, new byte[24]));
      all.add(c -> send(c, FrontEndRequest.GET_FEATURES, bytes(1)));
      all.add(c -> c.reply(4711, VERSION, new byte[0], List.of(), MediatedGuest.soon()));
      all.add(c -> c.reply(1, VERSION | 4, new byte[0], List.of(), MediatedGuest.soon()));
      all.add(c -> c.reply(1, 2, new byte[0], List.of(), MediatedGuest.soon()));
      for (Nonsense nonsense : all) {
        try (BackEndConnection front = connect(guest)) {
          nonsense.send(front);
          awaitHangUp(front);
        }
      }
      assertThat(a.record().messages())
          .extracting(m -> m.request())
          .doesNotContain(
              FrontEndRequest.SET_MEM_TABLE,
              FrontEndRequest.SET_LOG_BASE,
              FrontEndRequest.SET_VRING_KICK);
      guest.boot();
      guest.echo(1);
    }
    assertThat(own.describeOpen()).isEmpty();
  }

  private interface Nonsense {
    void send(BackEndConnection to);
  }

  @Test
  void halfAMessageEndsTheConnectionAfterABound() throws Exception {
    try (MediatedGuest guest = new MediatedGuest(directory, MediatedGuest.ANSWERS);
        SocketChannel half = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      guest.startSwitch("a");
      half.connect(UnixDomainSocketAddress.of(directory.resolve("net0")));
      half.write(ByteBuffer.wrap(new byte[] {1, 0, 0, 0, 1}));
      assertThat(half.read(ByteBuffer.allocate(1))).as("the end").isEqualTo(-1);
      guest.boot();
      guest.echo(1);
    }
  }

  @Test
  void oneThatNeverReadsItsAnswersIsLeftAfterABound() throws Exception {
    try (MediatedGuest guest = new MediatedGuest(directory, MediatedGuest.ANSWERS);
        SocketChannel deaf = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      guest.startSwitch("a");
      deaf.connect(UnixDomainSocketAddress.of(directory.resolve("net0")));
      ByteBuffer asks = ByteBuffer.allocate(12 * 1000).order(ByteOrder.nativeOrder());
      for (int i = 0; i < 1000; i++) {
        asks.putInt(1).putInt(VERSION).putInt(0);
      }
      deaf.configureBlocking(false);
      Deadline deadline = MediatedGuest.soon();
      boolean ended = false;
      while (!ended && !deadline.expired()) {
        asks.flip();
        try {
          deaf.write(asks);
          asks.compact();
          asks.position(asks.capacity());
        } catch (IOException e) {
          ended = true;
        }
      }
      assertThat(ended).isTrue();
      guest.boot();
      guest.echo(1);
    }
  }

  /** Random and mutated messages with random descriptors; the seed is the test's name. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void nothingHangsLeaksOrReachesTheSwitchAgainstItsRules(long seed) {
    Random random = new Random(seed);
    try (MediatedGuest guest = new MediatedGuest(directory, Duration.ofMillis(500));
        MemoryFile ram = MemoryFile.create(own, "ram", RAM)) {
      guest.startSwitch("a");
      for (int connection = 0; connection < 60; connection++) {
        try (BackEndConnection front = connect(guest)) {
          ramble(front, random, ram);
        } catch (VhostException e) {
          // The mediator has hung up.
        }
      }
      guest.boot();
      guest.echo(1);
    }
    assertThat(own.describeOpen()).isEmpty();
  }

  private static void ramble(BackEndConnection front, Random random, MemoryFile ram) {
    FrontEndRequest[] requests = FrontEndRequest.values();
    send(front, FrontEndRequest.SET_PROTOCOL_FEATURES, bytes(random.nextLong() & 0x1000f));
    send(front, FrontEndRequest.SET_FEATURES, bytes(1L << 32 | (random.nextInt(2) << 30)));
    send(front, FrontEndRequest.SET_MEM_TABLE, table(RAM, 0), ram.descriptor());
    for (int i = 0; i < 40; i++) {
      FrontEndRequest request = requests[random.nextInt(requests.length)];
      if (request == FrontEndRequest.POSTCOPY_ADVISE) {
        continue; // not offered: the rest would not be read
      }
      byte[] payload = payload(request, random);
      int files = random.nextInt(10) == 0 ? random.nextInt(3) : usualFiles(request, random);
      List<OwnedDescriptor> sent = new ArrayList<>();
      for (int f = 0; f < files; f++) {
        sent.add(ram.descriptor());
      }
      int flags = VERSION | (random.nextInt(4) == 0 ? NEED_REPLY : 0);
      int id = Dialect.UPSTREAM.idOf(request).orElse(99);
      front.reply(id, flags, payload, sent, MediatedGuest.soon());
    }
  }

  private static int usualFiles(FrontEndRequest request, Random random) {
    return switch (request) {
      case SET_MEM_TABLE, SET_LOG_BASE -> 1;
      case SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR -> random.nextInt(2);
      default -> 0;
    };
  }

  private static byte[] payload(FrontEndRequest request, Random random) {
    if (random.nextInt(20) == 0) {
      byte[] any = new byte[random.nextInt(64)];
      random.nextBytes(any);
      return any;
    }
    long ring = random.nextInt(4);
    long at = 0x7f00_0000_0000L;
    return switch (request) {
      case SET_MEM_TABLE -> table(RAM >> random.nextInt(3), random.nextInt(2) * 4096L);
      case SET_LOG_BASE -> bytes(4096, 0);
      case SET_VRING_NUM -> bytes(256L << 32 | ring);
      case SET_VRING_BASE -> bytes((long) random.nextInt(100) << 32 | ring);
      case SET_VRING_ENABLE -> bytes((long) random.nextInt(2) << 32 | ring);
      case GET_VRING_BASE -> bytes(ring);
      case SET_VRING_ADDR -> {
        long base = at + ring * 0x4000;
        yield bytes(ring, base, base + 0x2000, base + 0x1000, 0);
      }
      case SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR -> bytes(ring);
      case SET_STATUS -> bytes(new long[] {0, 1, 3, 11, 15}[random.nextInt(5)]);
      case SET_FEATURES -> bytes(1L << 32 | 1L << 30);
      case SET_PROTOCOL_FEATURES -> bytes(0x1000f);
      case NET_SET_MTU -> bytes(1500);
      case SEND_RARP -> bytes(random.nextLong());
      default -> new byte[0];
    };
  }
}
