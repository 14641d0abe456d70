package io.github.jvhost.testkit.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A monitor that follows a script. */
@Timeout(30)
class QmpClientTest {
  private static final String GREETING = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n";
  private static final String READY = "{\"return\": {}, \"id\": 1}\n";

  @TempDir private Path directory;

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(20));
  }

  /** Says each text in turn, the second and later ones when a line came; then hangs up. */
  private final class Monitor implements AutoCloseable {
    private final Path path = directory.resolve("m");
    private final ServerSocketChannel server;
    private final List<String> heard = Collections.synchronizedList(new ArrayList<>());
    private final Thread thread;

    Monitor(boolean hangsUp, String... script) throws IOException {
      server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
      server.bind(UnixDomainSocketAddress.of(path));
      thread = Thread.ofVirtual().start(() -> follow(hangsUp, script));
    }

    private void follow(boolean hangsUp, String... script) {
      try (SocketChannel socket = server.accept();
          var lines = new BufferedReader(Channels.newReader(socket, StandardCharsets.UTF_8))) {
        for (int i = 0; i < script.length; i++) {
          if (i > 0) {
            heard.add(String.valueOf(lines.readLine()));
          }
          socket.write(ByteBuffer.wrap(script[i].getBytes(StandardCharsets.UTF_8)));
        }
        while (!hangsUp && lines.readLine() != null) {
          // It listens and says nothing.
        }
      } catch (IOException e) {
        heard.add("failed: " + e);
      }
    }

    QmpClient client() {
      return QmpClient.connect(path, deadline());
    }

    @Override
    public void close() throws IOException {
      server.close();
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Test
  void anAnswerBehindEventsAndInPieces() throws IOException {
    String answer =
        """
        {"event": "RESUME", "data": {"a": [1, 2.5, null, false]}}
        {"return": {"stale": true}, "id": 1}
        {"return": {"status": "paused", "n": 7}, "id": 2}
        """;
    try (var monitor = new Monitor(false, GREETING, READY, answer);
        QmpClient client = monitor.client()) {
      Object status = client.execute("query-status", Map.of("deep", List.of(1, "x")), deadline());

      assertThat(status).isEqualTo(Map.of("status", "paused", "n", 7L));
      assertThat(monitor.heard)
          .containsExactly(
              "{\"execute\":\"qmp_capabilities\",\"arguments\":{},\"id\":1}",
              "{\"execute\":\"query-status\",\"arguments\":{\"deep\":[1,\"x\"]},\"id\":2}");
    }
  }

  @Test
  void aRefusalIsInTheMonitorsWordsAndTheNextCommandIsAnswered() throws IOException {
    try (var monitor =
            new Monitor(
                false,
                GREETING,
                READY,
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}, \"id\":"
                    + " 2}\n",
                "{\"return\": [], \"id\": 3}\n");
        QmpClient client = monitor.client()) {
      assertThatThrownBy(() -> client.execute("eject", Map.of(), deadline()))
          .isInstanceOf(VhostException.class)
          .hasMessage("QEMU's monitor: eject: no such thing");
      assertThat(client.execute("query-names", Map.of(), deadline())).isEqualTo(List.of());
    }
  }

  @Test
  void whatIsNoMonitorIsRefused() throws IOException {
    for (String greeting : List.of("{}\n", "hello\n", "[1]\n", "{\"QMP\": \n", "", "\n")) {
      try (var monitor = new Monitor(true, greeting)) {
        assertThatThrownBy(monitor::client)
            .as(greeting)
            .isInstanceOf(VhostException.class)
            .hasMessageStartingWith("QEMU's monitor: greeting: ");
      }
      Files.deleteIfExists(directory.resolve("m"));
    }
  }

  @Test
  void nobodyThere() {
    assertThatThrownBy(() -> QmpClient.connect(directory.resolve("none"), deadline()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("connecting to");
  }

  @Test
  void aMonitorThatHangsUpOrSaysNothing() throws IOException {
    try (var monitor = new Monitor(true, GREETING, READY);
        QmpClient client = monitor.client()) {
      assertThatThrownBy(() -> client.execute("query-status", Map.of(), deadline()))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("query-status");
    }
    Files.deleteIfExists(directory.resolve("m"));
    try (var monitor = new Monitor(false, GREETING, READY);
        QmpClient client = monitor.client()) {
      assertThatThrownBy(
              () -> client.execute("query-status", Map.of(), Deadline.after(Duration.ofMillis(20))))
          .isInstanceOf(VhostException.class)
          .hasMessage("QEMU's monitor: query-status: no answer within 20 ms");
    }
  }
}
