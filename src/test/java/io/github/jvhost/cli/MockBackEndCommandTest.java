package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.jvhost.FreshJvm;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.SocketPair;
import io.github.jvhost.vhost.user.VhostUserFrontEnd;
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
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
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
      this(new String[] {socket.toString()}, options);
    }

    /** With other words for where the socket is. */
    Running(String[] where, String... options) {
      String[] args =
          Stream.of(new String[] {"mock-back-end"}, where, options)
              .flatMap(Stream::of)
              .toArray(String[]::new);
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

  private record Ended(int code, String out, String err) {}

  private static Ended mock(String... options) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] args =
        Stream.concat(Stream.of("mock-back-end"), Stream.of(options)).toArray(String[]::new);
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
    return new Ended(code, out.toString(), err.toString());
  }

  @Test
  void whatKindOfBackEndItIsIsPrintedWhateverElseIsSaid() {
    for (String[] options :
        new String[][] {
          {"--print-capabilities"},
          {"--queue-pairs=two", "--fault=lie", "--print-capabilities", "--for=ever", "--fd"},
          {
            "--print-capabilities", socket.toString(), "--socket-path=/nowhere", "--fd=1", "--virgl"
          },
        }) {
      Ended ended = mock(options);
      assertThat(ended.code()).isZero();
      assertThat(ended.out().replaceAll("\\s", "")).isEqualTo("{\"type\":\"net\"}");
      assertThat(ended.err()).isEmpty();
    }
  }

  @Test
  void theDescriptionForManagementSoftwareFitsTheProgram() throws IOException {
    Path file = Path.of("build", "back-end", "50-jvhost-mock-net.json");
    Map<String, String> fields = new HashMap<>();
    try (JsonParser parser = new JsonFactory().createParser(file.toFile())) {
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token == JsonToken.VALUE_STRING && parser.currentName() != null) {
          fields.put(parser.currentName(), parser.getText());
        }
      }
    }

    assertThat(fields).containsOnlyKeys("description", "type", "binary");
    assertThat(mock("--print-capabilities").out()).contains('"' + fields.get("type") + '"');
    assertThat(Path.of(fields.get("binary"))).isAbsolute();
    assertThat(Files.readString(Path.of("jvhost")))
        .as("the name under which the script is this command")
        .contains(Path.of(fields.get("binary")).getFileName() + ") set -- mock-back-end");
  }

  @Test
  void oneWayToSayWhereTheSocketIs() {
    assertThat(mock("/a", "--socket-path=/b").err()).contains("only one of them");
    assertThat(mock("--fd=9", "--socket-path=/b").err()).contains("only one of them");
    assertThat(mock("--fd=2").err()).contains("--fd: 3 or more, not 2");
    assertThat(mock("--fd=9999").code()).isEqualTo(1);
    assertThat(mock("--fd=9999").err()).contains("the socket of --fd (fd 9999)");
  }

  @Test
  void aManagerSaysThePathInItsWay() throws Exception {
    try (var mock = new Running(new String[0], "--socket-path=" + socket);
        SocketChannel channel = mock.connect(socket)) {
      assertThat(ask(channel, GET_FEATURES)).isNotZero();
      assertThat(mock.end()).contains("connections  1");
    }
  }

  /** As a manager starts it: the number is the command's from here on. */
  private static int handedOver(OwnedDescriptor mine) {
    return mine.release();
  }

  @Test
  void aConnectionThatItWasStartedWithIsTheOnlyOne() throws Exception {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    SocketPair pair = SocketPair.open(ledger, "of the test");
    int number = handedOver(pair.one());
    Path name = Path.of("/dev/fd/" + number);
    try (var mock = new Running(new String[0], "--fd=" + number)) {
      try (VhostUserChannel front =
          VhostUserChannel.adopt(pair.other(), "front", Dialect.UPSTREAM, ledger)) {
        assertThat(new VhostUserFrontEnd(front, Duration.ofSeconds(20)).getFeatures()).isNotZero();
      }
      assertThat(mock.finished()).contains("connections  1");
      assertThat(mock.err.toString()).startsWith("connected by " + name);
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void aListeningSocketThatItWasStartedWithStaysItsMakers() throws Exception {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (var manager = BackEndListener.listen(socket, ledger)) {
      OwnedDescriptor copy =
          OwnedDescriptor.duplicateOf(ledger, manager.number(), "listening socket");
      int number = handedOver(copy);
      try (var mock = new Running(new String[0], "--fd=" + number)) {
        for (int i = 0; i < 2; i++) {
          try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            assertThat(ask(channel, GET_FEATURES)).isNotZero();
          }
        }
        assertThat(mock.end()).contains("connections  2");
        assertThat(socket).as("its file is not the command's").exists();
      }
    }
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
    String fault = "--fault=get-features=hang-up-after";
    try (var running = new Running(socket, "--json", "--personality=dpdk", "--trace", fault)) {
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
      assertThat(running.err.toString())
          .contains("-> RESET_OWNER ", "### scripted: ", "### connection 1 is over");
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
                FreshJvm.command(Jvhost.class, List.of("mock-back-end", socket.toString())))
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
