package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.FlightRecording;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.probe.BackEndProbe;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
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

/** A mediator as an operator starts it, asks it and commands it. */
@Timeout(120)
class MediateCommandTest {
  private Path directory;

  @BeforeEach
  void makeRoom() throws IOException {
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
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

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  private MockBackEnd theSwitch(String name) {
    return Mirror.start(directory.resolve(name), DescriptorLedger.tracing());
  }

  private Printed control(String what, String... words) {
    List<String> args = new ArrayList<>(List.of("mediate", what, path("control")));
    args.addAll(List.of(words));
    return run(args.toArray(String[]::new));
  }

  /** The mediator while something is done with it. */
  private Printed mediated(Runnable done, String... options) throws Exception {
    List<String> args = new ArrayList<>(List.of("mediate", "--control", path("control")));
    args.addAll(List.of(options));
    var out = new StringWriter();
    var err = new StringWriter();
    var runs = new CompletableFuture<Void>();
    var told =
        new PrintWriter(err) {
          @Override
          public void flush() {
            super.flush();
            runs.complete(null);
          }
        };
    var code = new CompletableFuture<Integer>();
    Thread thread =
        Thread.ofPlatform()
            .start(() ->
                code.complete(
                    Jvhost.execute(new PrintWriter(out), told, args.toArray(String[]::new))));
    try {
      runs.get(60, TimeUnit.SECONDS);
      done.run();
    } finally {
      thread.interrupt();
      code.get(60, TimeUnit.SECONDS);
    }
    return new Printed(code.get(), out.toString(), err.toString());
  }

  @Test
  void anOperatorSeesWhatGoesOnAndMovesARunningGuest() throws Exception {
    Printed mediator;
    try (MockBackEnd one = theSwitch("one");
        MockBackEnd other = theSwitch("other");
        FlightRecording recording = FlightRecording.start()) {
      mediator =
          mediated(
              () -> {
                try (OwnVm vm = new OwnVm();
                    SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
                  TinyDriver driver = new TinyDriver(vm, vmm);
                  driver.boot();
                  assertThat(driver.echo(1)).endsWith(1, 1);
                  assertThat(control("status").out())
                      .contains("net0  running; switch " + path("one"), "VERSION_1", "last start");

                  Printed moved = control("move", "net0", path("other"));

                  assertThat(moved.err()).isEmpty();
                  assertThat(moved.out()).startsWith("net0 is served by " + path("other"));
                  assertThat(driver.echo(2)).endsWith(2, 2);
                  assertThat(control("standby", "net0", path("one"), "--json").out())
                      .contains("\"standby\" : \"" + path("one") + "\"");
                  assertThat(control("status", "--json").out())
                      .contains("\"state\" : \"RUNNING\"", "\"switch\" : \"" + path("other"));
                }
              },
              "--nic",
              "net0=%s,%s".formatted(path("net0"), path("one")));
      assertThat(recording.events("Mediation", "net0"))
          .extracting(event -> event.getString("what"))
          .contains("start", "move");
      assertThat(one.record().violations()).isEmpty();
      assertThat(other.record().violations()).isEmpty();
    }

    assertThat(mediator.code()).as(mediator.err()).isZero();
    assertThat(mediator.err()).startsWith("mediating net0\n");
    assertThat(mediator.out()).contains("net0 ", "messages of its front end");
  }

  @Test
  void whatCannotBeDoneIsSaid() throws Exception {
    try (MockBackEnd _ = theSwitch("one")) {
      mediated(
          () -> {
            assertThat(control("move", "net1", path("other")).err())
                .isEqualTo("jvhost: there is no NIC net1; there are: net0\n");
            assertThat(control("move", "blk0", path("other")).err())
                .contains("the messages of blk0 are passed on as they are");
            Printed late = control("move", "net0", path("none"), "--within=1s");
            assertThat(late.code()).isEqualTo(1);
            assertThat(late.err()).contains("it was not moved", "no such socket");
            assertThat(control("standby", "net0", "x".repeat(108)).err())
                .contains("a socket path has at most 107 bytes");
            assertThat(control("standby", "net0", "listen:" + path("control")).err())
                .contains("somebody listens there already");
          },
          "--nic=net0=%s,%s".formatted(path("net0"), path("one")),
          "--nic=blk0=%s,%s,pass".formatted(path("blk0"), path("blk")));
    }
    Printed nobody = control("status");
    assertThat(nobody.code()).isEqualTo(1);
    assertThat(nobody.err()).contains("no such socket; it is there once the mediator runs");
  }

  @Test
  void messagesOfADeviceArePassedOn() throws Exception {
    try (MockBackEnd _ = theSwitch("one")) {
      mediated(
          () -> {
            BackEndProbe.probe(
                directory.resolve("blk0"), Dialect.UPSTREAM, 0, Duration.ofSeconds(20));
            assertThat(control("status").out())
                .startsWith("blk0  pass-through")
                .contains("5 of the front end, 5 to switches");
          },
          "--nic=blk0=%s,%s,pass".formatted(path("blk0"), path("one")));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "2 | mediate",
        "2 | mediate --nic",
        "2 | mediate --nic net0",
        "2 | mediate --nic =/a,/b",
        "2 | mediate --nic net0=/a",
        "2 | mediate --nic net0=/a,",
        "2 | mediate --nic net0=,/b",
        "2 | mediate --nic net0=/a,/b,through",
        "2 | mediate --nic net0=connect:/a,/b,pass",
        "2 | mediate --nic net0=/a,listen:/b,pass",
        "2 | mediate --nic a/b=/a,/b",
        "2 | mediate --nic net0=/a,/a",
        "2 | mediate --nic net0=/a,/b --nic net0=/c,/d",
        "2 | mediate --nic net0=/a,/b --nic net1=/c,/x/../b",
        "2 | mediate --nic net0=/a,/b --control /a",
        "2 | mediate --nic net0=/a,/b --control=",
        "2 | mediate --nic net0=/a,/b --memory auto --memory auto",
        "2 | mediate --nic net0=/a,/b --memory /m,",
        "2 | mediate --nic net0=/a,/b --memory zz=auto",
        "2 | mediate --nic net0=/a,/b --profile=ovs",
        "2 | mediate --nic net0=/a,/b --dialect=klingon",
        "2 | mediate --nic net0=/a,/b --remember /nowhere",
        "2 | mediate --nic net0=/a,/b --peer tcp:10.0.0.1:7",
        "1 | mediate --nic net0=/nowhere/a,/b",
        "1 | mediate --nic net0=fd:net0,/b",
        "1 | mediate --nic net0=connect:/nowhere/a,/b --control /nowhere/c",
        "1 | mediate --nic net0=connect:/nowhere/a,/b --keep /nowhere/k",
        "2 | mediate lunch",
        "2 | mediate status",
        "1 | mediate status /nowhere",
        "2 | mediate move /nowhere net0",
        "2 | mediate move /nowhere net0 none",
        "2 | mediate move /nowhere net0 /a --within=2h",
        "2 | mediate move /nowhere net0 /a --within=10ms",
        "1 | mediate move /nowhere net0 /a",
        "1 | mediate standby /nowhere net0 none",
      })
  void whatCannotBeStartedIsSaidOnOneLine(int code, String command) {
    Printed printed = run(command.split(" ", -1));

    assertThat(printed.code()).as(printed.err()).isEqualTo(code);
    assertThat(printed.out()).isEmpty();
    assertThat(printed.err().lines()).singleElement().asString().startsWith("jvhost: ");
  }

  @Test
  void pathsThatNoSocketCanHaveAreRefused() {
    String longest = "/" + "x".repeat(107);

    assertThat(run("mediate", "--nic", "net0=" + longest + ",/b").err())
        .isEqualTo(
            "jvhost: --nic net0: a socket path has at most 107 bytes (see jvhost mediate"
                + " --help)\n");
    assertThat(run("mediate", "--nic", "net0=/a,/b", "--control", longest).code()).isEqualTo(2);
  }
}
