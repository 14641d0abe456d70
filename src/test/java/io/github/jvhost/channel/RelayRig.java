package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
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
import java.util.Objects;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Room for a {@link Relay}: the sockets on both of its sides, what it has told, and peers to talk
 * through it. Closing it fails where something was left behind.
 */
final class RelayRig implements AutoCloseable {
  static final int PAGE = 4096;

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final Seen seen = new Seen();
  final Path front;
  final Path back;
  private final Path directory;
  private final long memoryFilesBefore;

  /** What a relay told. */
  static final class Seen implements RelayObserver {
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

  RelayRig() throws IOException {
    memoryFilesBefore = ChannelPair.openFiles("memfd:");
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
    front = directory.resolve("f");
    back = directory.resolve("b");
  }

  Relay relay() {
    return Relay.start(front, back, ledger, seen);
  }

  // ---- peers of ours ----

  BackEndListener backEnd() {
    return BackEndListener.listen(back, ledger);
  }

  VhostUserChannel connect() {
    VhostUserChannel channel =
        VhostUserChannel.connect(front, "net0", Dialect.UPSTREAM, ledger, soon());
    channel.negotiated(-1L & ~ProtocolFeature.XEN_MMAP.mask());
    return channel;
  }

  /** A file that can be told from the others by its size. */
  MemoryFile file(int pages) {
    return MemoryFile.create(ledger, "file of " + pages, (long) pages * PAGE);
  }

  static long pagesOf(OwnedDescriptor received) {
    try (MemoryFile file = MemoryFile.adopt(received)) {
      return file.size() / PAGE;
    }
  }

  // ---- peers that may do anything ----

  ServerSocketChannel listen() throws IOException {
    var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(back));
    return server;
  }

  SocketChannel connectRaw() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(front));
  }

  static ByteBuffer header(int request, int size) {
    return ByteBuffer.allocate(Header.SIZE)
        .order(ByteOrder.nativeOrder())
        .putInt(request)
        .putInt(1)
        .putInt(size)
        .flip();
  }

  /** Everything until the other side closes. */
  static byte[] readToTheEnd(SocketChannel channel) throws IOException {
    var all = new ByteArrayOutputStream();
    ByteBuffer some = ByteBuffer.allocate(8192);
    while (channel.read(some.clear()) >= 0) {
      all.write(some.array(), 0, some.position());
    }
    return all.toByteArray();
  }

  @Override
  public void close() throws IOException {
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(ChannelPair.openFiles("memfd:")).isEqualTo(memoryFilesBefore);
    Files.deleteIfExists(back);
    Files.delete(directory); // Fails where the relay's socket is still in it.
  }
}
