package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Header;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The mock back end as people, scripts and front ends see it. */
@Timeout(120)
class MockBackEndCommandTest {
  private static final int GET_FEATURES = 1;
  private static final int RESET_OWNER = 4;
  private static final int GET_PROTOCOL_FEATURES = 15;

  private Path directory;
  private Path socket;

  @BeforeEach
  void makeRoom() throws IOException {
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
    socket = directory.resolve("s");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    Files.delete(directory); // Fails where a socket is still in it.
  }

  /** A command under way, in this process. */
  private static final class Running implements AutoCloseable {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final CompletableFuture<Integer> code = new CompletableFuture<>();
    private final CompletableFuture<Void> listens = new CompletableFuture<>();
    private final Thread thread;

    Running(Path socket, String... options) {
      String[] args = new String[options.length + 2];
      args[0] = "mock-back-end";
      args[1] = socket.toString();
      System.arraycopy(options, 0, args, 2, options.length);
      var told =
          new PrintWriter(err) {
            @Override
            public void flush() {
              super.flush();
              listens.complete(null);
            }
          };
      this.thread =
          Thread.ofPlatform()
              .start(() -> code.complete(Jvhost.execute(new PrintWriter(out), told, args)));
    }

    /** Connects to it. */
    SocketChannel connect(Path socket) throws Exception {
      listens.get(60, TimeUnit.SECONDS);
      assertThat(err.toString()).startsWith("listening at " + socket);
      return SocketChannel.open(UnixDomainSocketAddress.of(socket));
    }

    String end() throws Exception {
      thread.interrupt();
      return finished();
    }

    String finished() throws Exception {
      assertThat(code.get(60, TimeUnit.SECONDS)).as(err.toString()).isZero();
      return out.toString();
    }

    @Override
    public void close() {
      thread.interrupt();
      var _ = code.completeOnTimeout(-1, 60, TimeUnit.SECONDS).join();
    }
  }

  private static ByteBuffer bytes(int count) {
    return ByteBuffer.allocate(count).order(ByteOrder.nativeOrder());
  }

  private static void tell(SocketChannel channel, int request) throws IOException {
    ByteBuffer header = bytes(Header.SIZE).putInt(request).putInt(1).putInt(0).flip();
    while (header.hasRemaining()) {
      channel.write(header);
    }
  }

  /** The number that is answered. */
  private static long ask(SocketChannel channel, int request) throws IOException {
    tell(channel, request);
    ByteBuffer answer = bytes(Header.SIZE + 8);
    while (answer.hasRemaining()) {
      assertThat(channel.read(answer)).as("it hung up").isPositive();
    }
    return answer.getLong(Header.SIZE);
  }

  private static boolean hangsUp(SocketChannel channel, int request) throws IOException {
    tell(channel, request);
    return channel.read(bytes(1)) < 0;
  }

  // ---- what cannot be done ----

  private void assertRefused(int code, String says, String... options) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] args = new String[options.length + 2];
    args[0] = "mock-back-end";
    args[1] = socket.toString();
    System.arraycopy(options, 0, args, 2, options.length);
    assertThat(Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args))
        .as(err.toString())
        .isEqualTo(code);
    assertThat(out.toString()).isEmpty();
    assertThat(err.toString().lines())
        .singleElement()
        .asString()
        .startsWith("jvhost: ")
        .contains(says);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--personality=grumpy | --personality: 'grumpy' is none of generic, dpdk",
        "--dialect=welsh | --dialect: 'welsh' is none of upstream, rfc-2023, nvidia-qemu-8-2",
        "--dialect=18:99 | --dialect: dialect 18:99: protocol feature bit 18 cannot be PRESETUP",
        "--dialect=70:99 | PRESETUP's protocol feature bit: 0 to 63, not 70",
        "--personality=rust-vmm --dialect=rfc-2023 | rust-vmm knows nothing",
        "--queue-pairs=0 | --queue-pairs: 1 to 64, not 0",
        "--queue-pairs=65 | --queue-pairs: 1 to 64, not 65",
        "--queue-pairs=two | --queue-pairs",
        "--fault=lie | 'lie' is no fault",
        "--fault=lie=refuse | 'lie' is no message",
        "--fault=get-features=explode | 'explode' is none of refuse, refuse-silently, base:N,"
            + " delay:TIME",
        "--for=ever | 'ever' is no time",
        "--frobnicate | --frobnicate",
        "surplus | surplus",
      })
  void whatNobodyKnowsIsACommandLineError(String argument, String says) {
    assertRefused(2, says, argument.split(" ", -1));
  }

  @Test
  void aSocketIsNeeded() {
    var err = new StringWriter();

    int code =
        Jvhost.execute(new PrintWriter(new StringWriter()), new PrintWriter(err), "mock-back-end");

    assertThat(code).isEqualTo(2);
    assertThat(err.toString()).contains("SOCKET");
  }

  @Test
  void whatDoesNotWorkIsAFailure() {
    assertRefused(1, "reading the hardware model", "--hardware-model=/nowhere/at-all");
    socket = directory.resolve("not/there");
    assertRefused(1, "listening on " + socket);
    socket = directory.resolve("x".repeat(120));
    assertRefused(1, "a socket path has at most 107 bytes");
  }

  @Test
  void whatIsThereAndNoSocketStays() throws IOException {
    Files.writeString(socket, "precious");

    assertRefused(1, "there is a file, and it is no socket");

    assertThat(socket).hasContent("precious");
    Files.delete(socket);
  }

  @Test
  void aSocketThatSomebodyServesStays() throws IOException {
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(socket));

      assertRefused(1, "somebody listens there");

      assertThat(socket).exists();
    }
    Files.delete(socket);
  }

  @Test
  void aSocketThatNobodyServesAnyMoreIsReplaced() throws Exception {
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(socket));
    }
    assertThat(socket).exists();

    try (var running = new Running(socket);
        SocketChannel frontEnd = running.connect(socket)) {
      assertThat(ask(frontEnd, GET_FEATURES)).isNotZero();
    }
  }

  // ---- what can ----

  @Test
  void itSaysWhatItSawWhenItIsInterrupted() throws Exception {
    try (var running = new Running(socket)) {
      try (SocketChannel frontEnd = running.connect(socket)) {
        ask(frontEnd, GET_FEATURES);
        tell(frontEnd, RESET_OWNER);
        ask(frontEnd, GET_FEATURES);
      }

      assertThat(running.end())
          .contains("connections  1")
          .contains("messages     3, and 2 replies")
          .contains("frames       0 from the front end, 0 to it, 0 dropped")
          .contains("broken rule  DEPRECATED: RESET_OWNER")
          .doesNotContain(" us -> ");
    }
    assertThat(socket).doesNotExist();
  }

  @Test
  void itEndsByItself() throws Exception {
    try (var running = new Running(socket, "--for=10ms")) {
      assertThat(running.finished()).contains("connections  0").contains("broken rules none");
    }
    assertThat(socket).doesNotExist();
  }

  @Test
  void theJsonHasEveryFieldByItsName() throws Exception {
    try (var running = new Running(socket, "--json", "--personality=dpdk", "--trace")) {
      try (SocketChannel frontEnd = running.connect(socket)) {
        tell(frontEnd, RESET_OWNER);
        ask(frontEnd, GET_FEATURES);
      }
      var values = DemoCommandTest.parse(running.end());

      assertThat(values.get("socket")).containsExactly(socket.toString());
      assertThat(values.get("personality")).containsExactly("dpdk");
      assertThat(values.get("connections")).containsExactly("1");
      assertThat(values.get("messages.GET_FEATURES")).containsExactly("1");
      assertThat(values.get("messages.RESET_OWNER")).containsExactly("1");
      assertThat(values.get("replies")).containsExactly("1");
      assertThat(values.get("frames.fromFrontEnd")).containsExactly("0");
      assertThat(values.get("frames.toFrontEnd")).containsExactly("0");
      assertThat(values.get("frames.dropped.rx-stopped")).containsExactly("0");
      assertThat(values.get("frames.dropped.mirror-full")).containsExactly("0");
      assertThat(values.get("modelledConfigMicros")).containsExactly("0");
      assertThat(values.get("brokenRules.rule")).containsExactly("deprecated");
      assertThat(values.get("brokenRules.what")).containsExactly("RESET_OWNER");
      assertThat(values.get("notes")).hasSize(1);
      assertThat(running.err.toString()).contains("-> RESET_OWNER ").contains("### ");
    }
  }

  @Test
  void aTraceHasALineForEachMessage() throws Exception {
    try (var running = new Running(socket, "--trace")) {
      try (SocketChannel frontEnd = running.connect(socket)) {
        ask(frontEnd, GET_FEATURES);
        ask(frontEnd, GET_PROTOCOL_FEATURES);
      }
      List<String> lines = running.end().lines().toList();

      assertThat(lines.get(0)).matches(" *[0-9.]+ us -> GET_FEATURES +fl=0x01 sz=0 +fds=0");
      assertThat(lines.get(1))
          .matches(" *[0-9.]+ us -> GET_PROTOCOL_FEATURES +fl=0x01 sz=0 +fds=0");
    }
  }

  @Test
  void itOffersWhatItWasToldToOffer() throws Exception {
    try (var running = new Running(socket, "--packed", "--dialect=rfc-2023");
        SocketChannel frontEnd = running.connect(socket)) {
      assertThat(ask(frontEnd, GET_FEATURES) >>> 34 & 1).as("RING_PACKED").isOne();
      assertThat(ask(frontEnd, GET_PROTOCOL_FEATURES) >>> 18 & 1).as("PRESETUP").isOne();
    }
    try (var running = new Running(socket, "--dialect=40:99");
        SocketChannel frontEnd = running.connect(socket)) {
      assertThat(ask(frontEnd, GET_FEATURES) >>> 34 & 1).as("RING_PACKED").isZero();
      assertThat(ask(frontEnd, GET_PROTOCOL_FEATURES) >>> 40 & 1).as("PRESETUP").isOne();
    }
  }

  @Test
  void itDoesWrongWhatItWasToldToDoWrong() throws Exception {
    String[] faults = {"--fault=get-features#2=hang-up-before", "--fault=4=hang-up-before"};
    try (var running = new Running(socket, faults)) {
      try (SocketChannel frontEnd = running.connect(socket)) {
        ask(frontEnd, GET_FEATURES);
        assertThat(hangsUp(frontEnd, GET_FEATURES)).isTrue();
      }
      try (SocketChannel frontEnd = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
        ask(frontEnd, GET_FEATURES);
        assertThat(hangsUp(frontEnd, GET_PROTOCOL_FEATURES)).isTrue();
      }
      assertThat(running.end()).contains("connections  2");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"INT", "TERM"})
  void aSignalEndsItInGoodOrder(String signal) throws Exception {
    Path printed = Files.createTempFile(directory, "out", "");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                "io.github.jvhost.cli.Jvhost",
                "mock-back-end",
                socket.toString())
            .redirectOutput(printed.toFile())
            .start();
    try {
      var said = process.errorReader();
      assertThat(said.readLine()).isEqualTo("listening at " + socket);

      new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();

      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isZero();
      assertThat(said.readLine()).isNull();
    } finally {
      process.destroyForcibly().waitFor();
    }
    assertThat(printed).content().contains("connections  0").contains("broken rules none");
    assertThat(socket).doesNotExist();
    Files.delete(printed);
  }
}
