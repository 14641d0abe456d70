package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.probe.BackEndProbe;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** `probe`, through `proxy`, whose capture `trace` shows: the three as people use them. */
@Timeout(120)
class ProxyCommandTest {
  private Path directory;
  private Path front;
  private Path back;

  @BeforeEach
  void makeRoom() throws IOException {
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
    front = directory.resolve("f");
    back = directory.resolve("b");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    Files.deleteIfExists(directory.resolve("capture"));
    Files.delete(directory); // Fails where a socket is still in it.
  }

  /** What a command printed. */
  private record Printed(int code, String out, String err) {}

  private static Printed run(String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
    return new Printed(code, out.toString(), err.toString());
  }

  /** The proxy while something is done through it. */
  private Printed proxied(Runnable done, String... options) throws Exception {
    List<String> args = new ArrayList<>(List.of("proxy", front.toString(), back.toString()));
    args.addAll(List.of(options));
    var out = new StringWriter();
    var err = new StringWriter();
    var listens = new CompletableFuture<Void>();
    var told =
        new PrintWriter(err) {
          @Override
          public void flush() {
            super.flush();
            listens.complete(null);
          }
        };
    var code = new CompletableFuture<Integer>();
    Thread thread =
        Thread.ofPlatform()
            .start(() ->
                code.complete(
                    Jvhost.execute(new PrintWriter(out), told, args.toArray(String[]::new))));
    try {
      listens.get(60, TimeUnit.SECONDS);
      done.run();
    } finally {
      thread.interrupt();
      code.get(60, TimeUnit.SECONDS);
    }
    return new Printed(code.get(), out.toString(), err.toString());
  }

  private MockBackEnd backEnd() {
    return MockBackEnd.builder(back, DescriptorLedger.tracing())
        .offer(BackEndOffer.of(Personality.DPDK).withQueuePairs(2))
        .start();
  }

  private void probe() {
    BackEndProbe.probe(front, Dialect.UPSTREAM, 0, Duration.ofSeconds(20));
  }

  @Test
  void whatGoesThroughIsShownSavedAndShownAgain() throws Exception {
    Path capture = directory.resolve("capture");
    Printed proxy;
    try (MockBackEnd _ = backEnd()) {
      proxy = proxied(this::probe, "--save", capture.toString());
    }

    assertThat(proxy.code()).as(proxy.err()).isZero();
    List<String> messages =
        proxy
            .out()
            .lines()
            .filter(line -> line.contains(" us -> ") || line.contains(" us <- "))
            .toList();
    assertThat(messages).hasSize(9);
    assertThat(messages.getLast()).contains("<- GET_STATUS ");
    assertThat(proxy.out())
        .contains("sessions     1", "messages     5 to the back end, 4 to the front end");
    Printed trace = run("trace", capture.toString());
    assertThat(trace.code()).as(trace.err()).isZero();
    assertThat(trace.out().lines()).containsAll(messages);
    assertThat(run("trace", capture.toString(), "--request=get-status,get-queue-num").out().lines())
        .filteredOn(line -> line.contains(" us "))
        .filteredOn(line -> line.contains("fl="))
        .hasSize(4);
    assertThat(run("trace", capture.toString(), "--direction=to-front-end").out().lines())
        .filteredOn(line -> line.contains("fl="))
        .hasSize(4);
    assertThat(run("trace", capture.toString(), "--phase=run").out()).doesNotContain("fl=");
    assertThat(run("trace", capture.toString(), "--from=1h").out()).doesNotContain("fl=");
    assertThat(run("trace", capture.toString(), "--what-if").out())
        .contains("nothing was set up", "negotiate")
        .doesNotContain("fl=");
    assertThat(run("trace", capture.toString(), "--json").out())
        .contains("\"way\" : \"to-back-end\"", "\"phase\" : \"negotiate\"");
  }

  @Test
  void requestsAreFoundByNumberToo() throws Exception {
    Path capture = directory.resolve("capture");
    try (MockBackEnd _ = backEnd()) {
      proxied(this::probe, "--save", capture.toString());
    }

    assertThat(run("trace", capture.toString(), "--request=17").out().lines())
        .filteredOn(line -> line.contains("fl="))
        .hasSize(2)
        .allMatch(line -> line.contains("GET_QUEUE_NUM"));
  }

  @Test
  void anEarlierCaptureIsNotReplacedByOneOfNothing() throws IOException {
    Path capture = Files.writeString(directory.resolve("capture"), "of yesterday");

    Printed proxy =
        run("proxy", "/nowhere/a", back.toString(), "--save", capture.toString(), "--for=10s");

    assertThat(proxy.code()).isEqualTo(1);
    assertThat(Files.readString(capture)).isEqualTo("of yesterday");
    assertThat(run("proxy", front.toString(), back.toString(), "--save=/nowhere/c").err())
        .contains("no file can be written in /nowhere");
  }

  @Test
  void quietlyItOnlyCounts() throws Exception {
    Printed proxy;
    try (MockBackEnd _ = backEnd()) {
      proxy = proxied(this::probe, "--quiet", "--json");
    }

    assertThat(proxy.out())
        .startsWith("{")
        .contains("\"to-back-end\" : 5", "\"to-front-end\" : 4", "\"descriptors\" : 0");
    assertThat(proxy.err().lines()).hasSize(1);
  }

  @Test
  void aProbeSaysWhatTheBackEndIs() {
    try (MockBackEnd _ = backEnd()) {
      assertThat(run("probe", back.toString(), "--round-trips=10").out())
          .contains(
              "MRG_RXBUF", "PROTOCOL_FEATURES", "STATUS", "up to 2 pairs", "profile dpdk", "of 10");
      assertThat(run("probe", back.toString(), "--round-trips=0", "--json").out())
          .contains(
              "\"queues\" : 2",
              "\"LOG_ALL\"",
              "\"dialect\" : \"upstream\"",
              "\"profile\" : \"generic\"",
              "\"reason\" : \"if-of-profile\"");
      assertThat(run("probe", back.toString(), "--round-trips=0", "--device=other").out())
          .contains("bit 15")
          .doesNotContain("MRG_RXBUF");
    }
  }

  @Test
  void aProbeSaysWhyNothingCameAndWhatToDo() throws Exception {
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(back));

      assertThat(run("probe", back.toString(), "--timeout=100ms").err().lines())
          .singleElement()
          .asString()
          .startsWith("jvhost: " + back + " took the connection and does not answer (")
          .endsWith("another front end, or not speak vhost-user; --timeout waits longer");
    }
    Files.delete(back);
  }

  @ParameterizedTest
  @CsvSource({
    "2, probe",
    "1, probe /nowhere",
    "2, probe /nowhere --device=disk",
    "2, probe /nowhere --round-trips=-1",
    "2, proxy /nowhere/a",
    "1, proxy /nowhere/a /nowhere/b",
    "1, proxy a b --save=/nowhere/c",
    "2, proxy a b --dialect=klingon",
    "1, trace /nowhere",
    "2, trace a --phase=lunch",
    "2, trace a --direction=up",
    "2, trace a --request=get-lunch",
    "2, proxy a a",
    "2, proxy a ./x/../a",
    "2, mock-back-end ",
    "2, probe ",
    "2, plan x --memory=1",
  })
  void whatCannotBeDoneIsSaidOnOneLine(int code, String command) {
    Printed printed = run(command.split(" ", -1));

    assertThat(printed.code()).as(printed.err()).isEqualTo(code);
    assertThat(printed.out()).isEmpty();
    assertThat(printed.err().lines()).singleElement().asString().startsWith("jvhost: ");
  }
}
