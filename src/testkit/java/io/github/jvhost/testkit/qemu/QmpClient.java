package io.github.jvhost.testkit.qemu;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.json.JsonTree;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A client of a QEMU's monitor (QMP). A command and its answer are one line of JSON each. It skips
 * the events in between.
 *
 * <pre>
 *   &lt;- {"QMP": {"version": ...}}
 *   -> {"execute": "qmp_capabilities", "id": 1}
 *   &lt;- {"return": {}, "id": 1}
 *   -> {"execute": "query-status", "id": 2}
 *   &lt;- {"event": "RESUME", ...}
 *   &lt;- {"return": {"status": "paused", ...}, "id": 2}     or {"error": {"class": ..., "desc": ...}, "id": 2}
 * </pre>
 *
 * <p>After any failure except an error answer it cannot be used again. Used by one thread at a
 * time.
 */
final class QmpClient implements AutoCloseable {
  /** Far more than the longest answer. A longer line is an error. */
  private static final int MAX_LINE = 1 << 22;

  private static final long PAUSE_MILLIS = 5;

  private final SocketChannel socket;
  private final Selector readable;
  private final ByteBuffer received = ByteBuffer.allocate(1 << 14).flip();
  private int lastId;

  private QmpClient(SocketChannel socket, Selector readable) {
    this.socket = socket;
    this.readable = readable;
  }

  /** Between bind and listen of a QEMU that starts, its socket is there and refuses. */
  private static SocketChannel open(Path monitor, Deadline deadline) throws IOException {
    try (Selector pause = Selector.open()) {
      while (true) {
        try {
          return SocketChannel.open(UnixDomainSocketAddress.of(monitor));
        } catch (ConnectException e) {
          if (deadline.expired()) {
            throw e;
          }
          pause.select(PAUSE_MILLIS);
        }
      }
    }
  }

  /**
   * Connects and completes the greeting.
   *
   * @param monitor the AF_UNIX socket at which it listens
   * @param deadline for all of it
   * @return the client, which the caller has to close; commands can be executed
   * @throws VhostException when no process listens there, or it is no monitor
   */
  static QmpClient connect(Path monitor, Deadline deadline) {
    QmpClient client;
    try {
      SocketChannel socket = open(monitor, deadline);
      socket.configureBlocking(false);
      Selector readable = Selector.open();
      socket.register(readable, SelectionKey.OP_READ);
      client = new QmpClient(socket, readable);
    } catch (IOException e) {
      throw failed("connecting to " + monitor, String.valueOf(e.getMessage()), e);
    }
    try {
      if (!client.message("greeting", deadline).containsKey("QMP")) {
        throw failed("greeting", "this is no monitor", null);
      }
      client.execute("qmp_capabilities", Map.of(), deadline);
      return client;
    } catch (RuntimeException e) {
      client.close();
      throw e;
    }
  }

  /**
   * Executes a command and waits for its answer.
   *
   * @param command its name
   * @param arguments strings, numbers, booleans, and lists and maps of them
   * @param deadline for the answer
   * @return the answer: a map, a list, a string, a number or a boolean
   * @throws VhostException when the monitor refused it, with its own message, or did not answer
   */
  Object execute(String command, Map<String, ?> arguments, Deadline deadline) {
    long id = ++lastId;
    Map<String, Object> request = new LinkedHashMap<>();
    request.put("execute", command);
    request.put("arguments", arguments);
    request.put("id", id);
    send(command, JsonTree.write(request) + "\n");
    while (true) {
      Map<?, ?> message = message(command, deadline);
      if (message.get("error") instanceof Map<?, ?> error) {
        throw failed(command, String.valueOf(error.get("desc")), null);
      }
      Object answer = message.get("return");
      if (answer != null && Long.valueOf(id).equals(message.get("id"))) {
        return answer;
      }
    }
  }

  private void send(String command, String line) {
    ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8));
    try {
      // The line is short, and everything before it was answered, so it fits into the socket's
      // buffer.
      socket.write(bytes);
    } catch (IOException e) {
      throw failed(command, String.valueOf(e.getMessage()), e);
    }
    if (bytes.hasRemaining()) {
      throw failed(command, "the monitor takes nothing more", null);
    }
  }

  private Map<?, ?> message(String command, Deadline deadline) {
    try {
      String line = line(deadline);
      if (line == null) {
        throw failed(command, "the monitor closed the connection", null);
      }
      return JsonTree.parse(new StringReader(line)) instanceof Map<?, ?> message
          ? message
          : Map.of();
    } catch (IOException | UncheckedIOException e) {
      throw failed(command, String.valueOf(e.getMessage()), e);
    }
  }

  /** Returns the next line, or null at the end. */
  private @Nullable String line(Deadline deadline) throws IOException {
    var line = new ByteArrayOutputStream();
    while (true) {
      while (received.hasRemaining()) {
        byte next = received.get();
        if (next == '\n') {
          return line.toString(StandardCharsets.UTF_8);
        }
        line.write(next);
      }
      if (line.size() > MAX_LINE) {
        throw new IOException("a line of more than " + MAX_LINE + " bytes");
      }
      if (!receive(deadline)) {
        return null;
      }
    }
  }

  /** Waits for more bytes. Returns false at the end. */
  private boolean receive(Deadline deadline) throws IOException {
    while (true) {
      int count = socket.read(received.clear());
      received.flip();
      if (count != 0) {
        return count > 0;
      }
      long millis = deadline.remainingNanos() / 1_000_000;
      if (millis <= 0) {
        throw new IOException("no answer within " + deadline.allowed().toMillis() + " ms");
      }
      readable.select(millis);
      readable.selectedKeys().clear();
      if (Thread.currentThread().isInterrupted()) {
        throw new IOException("interrupted");
      }
    }
  }

  private static VhostException failed(String what, String why, @Nullable Exception cause) {
    return new VhostException("QEMU's monitor: " + what + ": " + why, Recovery.GIVE_UP, cause);
  }

  /** Closes the connection. QEMU goes on. */
  @Override
  public void close() {
    try (socket;
        readable) {
      // The resources are closed in reverse order.
    } catch (IOException e) {
      throw failed("closing", String.valueOf(e.getMessage()), e);
    }
  }
}
