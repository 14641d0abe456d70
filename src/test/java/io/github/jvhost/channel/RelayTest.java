package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.MemoryFile;
import io.github.jvhost.sys.OwnedDescriptor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is said reaches the other side as it was said, and nothing stays behind. */
@Timeout(60)
class RelayTest {
  private static final int PAGE = 4096;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final Seen seen = new Seen();
  private Path directory;
  private Path front;
  private Path back;
  private long memoryFilesBefore;

  /** What a relay told. */
  private static final class Seen implements RelayObserver {
    private final LinkedBlockingQueue<RelayedMessage> messages = new LinkedBlockingQueue<>();
    private final LinkedBlockingQueue<String> ends = new LinkedBlockingQueue<>();

    @Override
    public void connected(int session, long nanos) {}

    @Override
    public void passed(RelayedMessage message) {
      messages.add(message);
    }

    @Override
    public void ended(int session, long nanos, String why) {
      ends.add(session + ": " + why);
    }

    RelayedMessage message() throws InterruptedException {
      return Objects.requireNonNull(messages.poll(20, TimeUnit.SECONDS));
    }

    String end() throws InterruptedException {
      return String.valueOf(ends.poll(20, TimeUnit.SECONDS));
    }
  }

  @BeforeEach
  void makeRoom() throws IOException {
    memoryFilesBefore = ChannelPair.openFiles("memfd:");
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
    front = directory.resolve("f");
    back = directory.resolve("b");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(ChannelPair.openFiles("memfd:")).isEqualTo(memoryFilesBefore);
    Files.deleteIfExists(back);
    Files.delete(directory); // Fails where the relay's socket is still in it.
  }

  private Relay relay() {
    return Relay.start(front, back, ledger, seen);
  }

  private VhostUserChannel connect() {
    VhostUserChannel channel =
        VhostUserChannel.connect(front, "net0", Dialect.UPSTREAM, ledger, soon());
    channel.negotiated(-1L & ~ProtocolFeature.XEN_MMAP.mask());
    return channel;
  }

  /** A file that can be told from the others by its size. */
  private MemoryFile file(int pages) {
    return MemoryFile.create(ledger, "file of " + pages, (long) pages * PAGE);
  }

  private static long pagesOf(OwnedDescriptor received) {
    try (MemoryFile file = MemoryFile.adopt(received)) {
      return file.size() / PAGE;
    }
  }

  @Test
  void descriptorsKeepToTheirMessagesAcrossAThousandOfThem() throws Exception {
    var random = new SplittableRandom(4711);
    try (var listener = BackEndListener.listen(back, ledger);
        var _ = relay();
        VhostUserChannel channel = connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      int sent = 0;
      while (sent < 1_000) {
        List<MemoryFile> files = new ArrayList<>();
        List<Integer> expected = new ArrayList<>(); // pages of the descriptor, 0: a plain message
        for (int n = 1 + random.nextInt(30); n > 0; n--) {
          sent++;
          if (random.nextInt(3) == 0) {
            MemoryFile file = file(sent);
            files.add(file);
            expected.add(sent);
            channel.send(
                FrontEndRequest.SET_VRING_KICK,
                new VringDescriptor(sent & 0xFF, false),
                List.of(file.descriptor()),
                false,
                soon());
          } else {
            expected.add(0);
            channel.send(
                FrontEndRequest.SET_VRING_BASE,
                new VringState(sent & 0xFF, sent),
                List.of(),
                false,
                soon());
          }
        }
        channel.flush(soon());
        files.forEach(MemoryFile::close);
        for (int pages : expected) {
          Received received = peer.receive(soon());
          assertThat(received.descriptors()).as("seed 4711").hasSize(pages == 0 ? 0 : 1);
          if (pages != 0) {
            assertThat(received.header().request()).isEqualTo(12);
            assertThat(pagesOf(received.descriptors().getFirst())).isEqualTo(pages);
          }
        }
      }
      int count = sent;
      for (int i = 0; i < count; i++) {
        assertThat(seen.message().route()).isEqualTo(RelayRoute.TO_BACK_END);
      }
    }
  }

  @Test
  void anAnswerComesBackWithItsDescriptor() throws Exception {
    try (var listener = BackEndListener.listen(back, ledger);
        var _ = relay();
        VhostUserChannel channel = connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      channel.send(
          FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256), List.of(), false, soon());
      channel.flush(soon());
      Received asked = peer.receive(soon());
      try (MemoryFile file = file(7)) {
        peer.reply(
            31,
            Header.REPLY_FLAGS,
            words(PAGE, 0, 0, 0, 2 | 256 << 16, 0),
            List.of(file.descriptor()),
            soon());
      }
      Reply reply = channel.awaitReply(soon());

      assertThat(asked.header().request()).isEqualTo(31);
      assertThat(pagesOf(reply.descriptors().getFirst())).isEqualTo(7);
      RelayedMessage request = seen.message();
      RelayedMessage answer = seen.message();
      assertThat(request.route()).isEqualTo(RelayRoute.TO_BACK_END);
      assertThat(answer.route()).isEqualTo(RelayRoute.TO_FRONT_END);
      assertThat(answer.descriptors()).isEqualTo(1);
      assertThat(answer.arrived()).isGreaterThanOrEqualTo(request.passed());
    }
  }

  @Test
  void theBackEndsOwnChannelIsRelayedBothWays() throws Exception {
    var asked = new LinkedBlockingQueue<BackEndRequest>();
    BackEndChannel.Opened opened =
        BackEndChannel.open(
            "net0",
            Dialect.UPSTREAM,
            ledger,
            (request, _, _) -> {
              asked.add(request);
              return BackEndRequestHandler.Answer.DONE;
            });
    try (var listener = BackEndListener.listen(back, ledger);
        var _ = relay();
        VhostUserChannel channel = connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      channel.serve(opened.channel());
      try (OwnedDescriptor theirs = opened.theirs()) {
        channel.send(
            FrontEndRequest.SET_BACKEND_REQ_FD, NoPayload.INSTANCE, List.of(theirs), false, soon());
        channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
        channel.flush(soon());
      }
      OwnedDescriptor socket = peer.receive(soon()).descriptors().getFirst();
      peer.receive(soon());
      try (BackEndRequester requester = BackEndRequester.adopt(socket, "peer", ledger)) {
        requester.send(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0], List.of(), true, soon());
        // It answers the main socket only when it has its own answer, as DPDK does.
        var answered =
            ChannelPair.inThread(() -> {
              long result = requester.awaitAnswer(soon()).result();
              peer.reply(1, Header.REPLY_FLAGS, u64(42), List.of(), soon());
              return result;
            });
        assertThat(channel.awaitReply(soon()).payload()).isEqualTo(new U64(42));
        assertThat(answered.get(20, TimeUnit.SECONDS)).isZero();
      }
      assertThat(asked).containsExactly(BackEndRequest.CONFIG_CHANGE_MSG);
      List<RelayRoute> routes = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        routes.add(seen.message().route());
      }
      assertThat(routes)
          .containsExactly(
              RelayRoute.TO_BACK_END,
              RelayRoute.TO_BACK_END,
              RelayRoute.ASKED,
              RelayRoute.ANSWERED,
              RelayRoute.TO_FRONT_END);
    }
  }

  // ---- peers that do not behave ----

  private ServerSocketChannel listen() throws IOException {
    var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(back));
    return server;
  }

  private SocketChannel connectRaw() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(front));
  }

  private static ByteBuffer header(int request, int size) {
    return ByteBuffer.allocate(Header.SIZE)
        .order(ByteOrder.nativeOrder())
        .putInt(request)
        .putInt(1)
        .putInt(size)
        .flip();
  }

  /** Everything until the other side closes. */
  private static byte[] readToTheEnd(SocketChannel channel) throws IOException {
    var all = new ByteArrayOutputStream();
    ByteBuffer some = ByteBuffer.allocate(8192);
    while (channel.read(some.clear()) >= 0) {
      all.write(some.array(), 0, some.position());
    }
    return all.toByteArray();
  }

  @Test
  void halfAMessageGoesOnAsItIsAndTheNextFrontEndIsServed() throws Exception {
    try (ServerSocketChannel server = listen();
        var _ = relay()) {
      try (SocketChannel client = connectRaw();
          SocketChannel peer = server.accept()) {
        client.write(header(1, 0));
        client.write(header(2, 8));
        client.write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
        client.shutdownOutput(); // half closed: it would still read

        assertThat(readToTheEnd(peer)).hasSize(12 + 12 + 3);
        assertThat(readToTheEnd(client)).isEmpty();
      }
      assertThat(seen.end()).isEqualTo("1: the front end closed the connection");
      assertThat(seen.message().raw()).isFalse();
      assertThat(seen.message().raw()).isTrue();
      try (SocketChannel client = connectRaw();
          SocketChannel peer = server.accept()) {
        client.write(header(1, 0));
        assertThat(peer.read(ByteBuffer.allocate(100))).isEqualTo(12);
      }
      assertThat(seen.end()).startsWith("2: ");
    }
  }

  @Test
  void bytesWithoutBordersGoOnAsTheyAre() throws Exception {
    byte[] rubbish = new byte[100_000];
    new SplittableRandom(4711).nextBytes(rubbish);
    try (ServerSocketChannel server = listen();
        var _ = relay();
        SocketChannel client = connectRaw();
        SocketChannel peer = server.accept()) {
      var writing =
          ChannelPair.inThread(() -> {
            client.write(header(5, Header.MAX_PAYLOAD + 1));
            ByteBuffer all = ByteBuffer.wrap(rubbish);
            while (all.hasRemaining()) {
              client.write(all);
            }
            client.shutdownOutput();
            return true;
          });
      byte[] arrived = readToTheEnd(peer);

      assertThat(writing.get(20, TimeUnit.SECONDS)).isTrue();
      assertThat(arrived).hasSize(12 + rubbish.length).endsWith(rubbish);
      assertThat(seen.message().raw()).isTrue();
    }
  }

  @Test
  void aReplyInFrontOfAHangUpArrives() throws Exception {
    try (ServerSocketChannel server = listen();
        var _ = relay();
        SocketChannel client = connectRaw()) {
      try (SocketChannel peer = server.accept()) {
        peer.write(header(1, 0));
      }
      assertThat(readToTheEnd(client)).hasSize(12);
      assertThat(seen.end()).isEqualTo("1: the back end closed the connection");
    }
  }

  @Test
  void aBackEndThatNeverReadsHoldsUpOnlyUntilTheFrontEndGoes() throws Exception {
    try (ServerSocketChannel server = listen();
        var _ = relay()) {
      SocketChannel peer;
      try (SocketChannel client = connectRaw()) {
        peer = server.accept();
        client.configureBlocking(false);
        ByteBuffer message = ByteBuffer.allocate(Header.SIZE + Header.MAX_PAYLOAD);
        message.put(header(26, Header.MAX_PAYLOAD)).clear();
        long written = 0;
        int idle = 0;
        while (idle < 1_000) { // until both sockets are full
          int count = client.write(message);
          written += count;
          idle = count == 0 ? idle + 1 : 0;
          if (!message.hasRemaining()) {
            message.clear();
          }
          Thread.onSpinWait();
        }
        assertThat(written).isPositive();
      }
      try (peer) {
        assertThat(seen.end()).isEqualTo("1: the front end closed the connection");
      }
    }
  }

  @Test
  void withoutABackEndTheFrontEndIsHungUpOnAndTheRelayGoesOn() throws Exception {
    try (var _ = relay()) {
      try (SocketChannel client = connectRaw()) {
        assertThat(readToTheEnd(client)).isEmpty();
      }
      assertThat(seen.end())
          .startsWith("1: the front end was refused: connecting to " + back + ": no such socket");
      try (ServerSocketChannel server = listen();
          SocketChannel client = connectRaw();
          SocketChannel peer = server.accept()) {
        client.write(header(1, 0));
        assertThat(peer.read(ByteBuffer.allocate(100))).isEqualTo(12);
      }
    }
  }

  @Test
  void whatIsNoSocketEndsTheChannelAlone() throws Exception {
    try (var listener = BackEndListener.listen(back, ledger);
        var _ = relay();
        VhostUserChannel channel = connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      try (MemoryFile file = file(1)) {
        channel.send(
            FrontEndRequest.SET_BACKEND_REQ_FD,
            NoPayload.INSTANCE,
            List.of(file.descriptor()),
            false,
            soon());
        channel.flush(soon());
      }
      peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
      channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
      channel.flush(soon());
      peer.receive(soon());
      peer.reply(1, Header.REPLY_FLAGS, u64(1), List.of(), soon());

      assertThat(channel.awaitReply(soon()).payload()).isEqualTo(new U64(1));
    }
  }

  @Test
  void closingEndsTheSessionToo() throws Exception {
    try (ServerSocketChannel server = listen()) {
      Relay relay = relay();
      try (SocketChannel client = connectRaw();
          SocketChannel peer = server.accept()) {
        relay.close();
        relay.close();

        assertThat(readToTheEnd(client)).isEmpty();
        assertThat(readToTheEnd(peer)).isEmpty();
        assertThat(relay.isAlive()).isFalse();
      }
    }
  }

  @Test
  void itDoesNotTakeASocketThatIsServed() throws Exception {
    try (var _ = relay()) {
      assertThatThrownBy(() -> Relay.start(front, back, ledger, seen))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("somebody listens");
    }
  }
}
