package io.github.jvhost.channel;

import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.SocketPair;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/** A channel and the scripted peer at its other end, in one process. */
public final class ChannelPair implements AutoCloseable {
  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final VhostUserChannel channel;
  final BackEndConnection peer;
  private final AFUNIXSocketChannel socket;

  private ChannelPair(Dialect dialect) throws IOException {
    SocketPair pair = SocketPair.open(ledger, "of a test");
    socket = AdoptedSocket.of(pair.one(), "net0");
    channel = VhostUserChannel.adopt(socket, "net0", dialect, ledger);
    peer = BackEndConnection.adopt(pair.other(), "peer", ledger);
  }

  static ChannelPair open() throws IOException {
    return new ChannelPair(Dialect.UPSTREAM);
  }

  static ChannelPair open(Dialect dialect) throws IOException {
    return new ChannelPair(dialect);
  }

  /**
   * From now on the channel's socket holds as little as the kernel allows, so that a write of many
   * messages ends in the middle of one.
   */
  void holdLittle() throws IOException {
    socket.setOption(StandardSocketOptions.SO_SNDBUF, 0);
  }

  /** Long enough never to pass in a test that is right. */
  public static Deadline soon() {
    return Deadline.in(20, TimeUnit.SECONDS);
  }

  /** Passes in every test that uses it. */
  public static Deadline brief() {
    return Deadline.in(20, TimeUnit.MILLISECONDS);
  }

  void send(FrontEndRequest request, Payload payload, boolean needReply) {
    channel.send(request, payload, List.of(), needReply, soon());
  }

  void ask(FrontEndRequest request) {
    send(request, NoPayload.INSTANCE, false);
    channel.flush(soon());
  }

  void answer(int request, byte[] payload, OwnedDescriptor... descriptors) {
    peer.reply(request, Header.REPLY_FLAGS, payload, List.of(descriptors), soon());
  }

  public static byte[] u64(long value) {
    return Unpooled.buffer(8).writeLongLE(value).array();
  }

  static byte[] words(int... words) {
    var bytes = Unpooled.buffer(4 * words.length);
    for (int word : words) {
      bytes.writeIntLE(word);
    }
    return bytes.array();
  }

  /** What is open besides the connections themselves. */
  static List<String> besidesSockets(DescriptorLedger ledger) {
    return ledger.describeOpen().stream().filter(line -> !line.startsWith("socket ")).toList();
  }

  /** Runs a peer's part on a platform thread of its own. */
  static <T> FutureTask<T> inThread(Callable<T> part) {
    FutureTask<T> task = new FutureTask<>(part);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  /** Open descriptors of this process whose target contains a text: the kernel's own account. */
  public static long openFiles(String target) throws IOException {
    try (Stream<Path> numbers = Files.list(Path.of("/proc/self/fd"))) {
      return numbers.filter(number -> targetOf(number).contains(target)).count();
    }
  }

  private static String targetOf(Path number) {
    try {
      return Files.readSymbolicLink(number).toString();
    } catch (IOException _) {
      return "closed meanwhile";
    }
  }

  static String flagsOf(int number) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/fdinfo/" + number)).stream()
        .filter(line -> line.startsWith("flags:"))
        .findFirst()
        .orElseThrow();
  }

  @Override
  public void close() {
    channel.close();
    peer.close();
  }
}
