package io.github.jvhost.mediate.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Arrays;

/** The far end of a link, which sends what it likes. */
final class RawPeer implements AutoCloseable {
  private static final String ALIVE = "{\"version\":1,\"what\":\"alive\"}";

  private final SocketChannel socket;
  private final ByteBuffer in = ByteBuffer.allocate(2 * Hint.MOST_BYTES);

  private RawPeer(SocketChannel socket) {
    this.socket = socket;
  }

  static RawPeer connect(SocketAddress address) throws IOException {
    return new RawPeer(SocketChannel.open(address));
  }

  static ServerSocketChannel listen(Path path) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(path));
    return server;
  }

  static RawPeer accept(ServerSocketChannel server) throws IOException {
    return new RawPeer(server.accept());
  }

  void greet() throws IOException {
    send(ALIVE + "\n");
  }

  void send(String text) throws IOException {
    send(text.getBytes(UTF_8));
  }

  void send(byte[] bytes) throws IOException {
    ByteBuffer all = ByteBuffer.wrap(bytes);
    while (all.hasRemaining()) {
      socket.write(all);
    }
  }

  /** Sends until the link hangs up, or all is sent. */
  void sendUntilRefused(byte[] bytes, int times) {
    try {
      for (int i = 0; i < times; i++) {
        send(bytes);
      }
    } catch (IOException _) {
      // what the test waits for
    }
  }

  /** The next line that is no sign of life; empty at the end of the stream. */
  String line() throws IOException {
    String line = anyLine();
    while (line.equals(ALIVE)) {
      line = anyLine();
    }
    return line;
  }

  /** Waits for a sign of life. */
  boolean isGreeted() throws IOException {
    return anyLine().equals(ALIVE);
  }

  private String anyLine() throws IOException {
    for (int at = 0; true; at++) {
      while (at == in.position()) {
        if (read() < 0) {
          return "";
        }
      }
      if (in.get(at) == '\n') {
        String line = new String(Arrays.copyOf(in.array(), at), UTF_8);
        in.limit(in.position()).position(at + 1).compact();
        return line;
      }
    }
  }

  Hint hint() throws IOException {
    return Hint.decode(line().getBytes(UTF_8));
  }

  private int read() {
    try {
      return socket.read(in);
    } catch (IOException _) {
      return -1; // reset: the link had not read everything
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
