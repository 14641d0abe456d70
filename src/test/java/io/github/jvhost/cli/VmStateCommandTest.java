package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the commands about saved devices print, and with which code they end. */
class VmStateCommandTest {
  private static final Path SAMPLES = Path.of("..", "shared", "streams");

  @TempDir private Path directory;

  /** What became of a command. */
  private record Run(int code, String out, String err) {
    Run ok() {
      assertThat(err).isEmpty();
      assertThat(code).isZero();
      return this;
    }

    Run json() throws IOException {
      try (JsonParser parser = new JsonFactory().createParser(out)) {
        parser.nextToken();
        parser.skipChildren();
        assertThat(parser.nextToken()).as("one object").isNull();
      }
      return this;
    }
  }

  private static Run run(Object... arguments) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] words = Arrays.stream(arguments).map(String::valueOf).toArray(String[]::new);
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), words);
    return new Run(code, out.toString(), err.toString());
  }

  private Path running(String name) {
    return new SmallStream()
        .device(SmallStream.running())
        .other("timer")
        .at(directory.resolve(name));
  }

  // ---- show ----

  @Test
  void showSaysWhatIsInADevice() {
    Run run = run("vmstate", "show", running("a")).ok();

    assertThat(run.out())
        .contains("pc-q35-7.2, 96 MiB of RAM (pc.ram), 1 other section of 3 bytes")
        .contains("0000:00:03.0/virtio-net (section 1, version 11)")
        .containsPattern("transport +transitional pci")
        .containsPattern("status +ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK")
        .containsPattern("features +CSUM, .*VERSION_1")
        .containsPattern("mac +02:00:00:00:00:01")
        .containsPattern("max queue pairs +1")
        .containsPattern("filters vlans +0, 5, 100, 4094")
        .contains("receive 0, size 256, default size 256, desc 0x571a000")
        .contains("next 79, vector 1")
        .as("the registers have what the device has")
        .doesNotContain("registers'");
  }

  @Test
  void showAsJson() throws IOException {
    Run run = run("vmstate", "show", running("a"), "--json").ok().json();

    assertThat(run.out())
        .contains("\"machine\" : \"pc-q35-7.2\"")
        .contains("\"path\" : \"0000:00:03.0\"")
        .contains("\"early\" : false")
        .contains("\"queuePairs\" : 1")
        .contains("\"desc\" : \"0x571a000\"")
        .contains("\"registersDesc\" : \"0x571a000\"")
        .contains("\"next\" : 79")
        .contains("\"vlans\" : [ \"0\", \"5\", \"100\", \"4094\" ]");
  }

  @Test
  void theStateOfABackEndIsShownByItsSizeAndLeftOutOfAPlan() throws IOException {
    VirtioNetState state = SmallStream.running();
    Bytes chunk = Bytes.copyOf(new byte[] {0x5a, 0x5a, 0x5a});
    Path file =
        new SmallStream()
            .device(
                state.withNet(
                    state.net().withBackEnd(Optional.of(List.of(chunk, Bytes.zeros(70))))))
            .at(directory.resolve("with state"));

    assertThat(run("vmstate", "show", file).ok().out()).containsPattern("back end state +73 bytes");
    assertThat(run("vmstate", "show", file, "--json").ok().json().out())
        .containsPattern("\"backEndState\" : \\{\\s+\"bytes\" : 73\\s+\\}")
        .doesNotContain("5a5a5a");
    assertThat(run("vmstate", "show", running("a"), "--json").ok().json().out())
        .contains("\"backEndState\" : null");
    assertThat(run("vmstate", "roundtrip", file).ok().out()).contains("identical");
    assertThat(run("plan", file).ok().out()).contains("the state of its back end (73 bytes)");
  }

  @Test
  void showOneDeviceOnly() {
    VirtioNetState state = SmallStream.running();
    Path file =
        new SmallStream()
            .device("0000:00:03.0/virtio-net", state)
            .device("0000:00:04.0/virtio-net", SmallStream.withMac(state, "52:54:00:00:00:04"))
            .at(directory.resolve("two"));

    assertThat(run("vmstate", "show", file, "--device", "0000:00:04.0").ok().out())
        .contains("52:54:00:00:00:04")
        .doesNotContain("02:00:00:00:00:01");
    Run none = run("vmstate", "show", file, "--device", "0000:00:09.0");
    assertThat(none.code()).isEqualTo(1);
    assertThat(none.err())
        .contains("no virtio-net device 0000:00:09.0; there are: 0000:00:03.0, 0000:00:04.0")
        .hasLineCount(1);
  }

  @Test
  void earlySectionsAreShownByTheirForm() {
    VirtioNetState state = SmallStream.running();
    Path file =
        new SmallStream()
            .device("virtio-net-early", state)
            .device("0000:00:03.0/virtio-net", state)
            .at(directory.resolve("early"));

    assertThat(run("vmstate", "show", file).ok().out())
        .containsSubsequence("\nvirtio-net-early (", "\n0000:00:03.0/virtio-net (");
    assertThat(run("vmstate", "show", file, "--json").ok().out()).contains("\"early\" : true");
    assertThat(run("plan", file).ok().out()).contains("early, from section virtio-net-early: ");
  }

  @Test
  void aMachineWithoutDevicesSaysSo() {
    Path file = new SmallStream().other("timer").at(directory.resolve("none"));

    assertThat(run("vmstate", "show", file).ok().out()).contains("no virtio-net devices");
    assertThat(run("plan", file).ok().out()).contains("no virtio-net devices");
    Run roundTrip = run("vmstate", "roundtrip", file);
    assertThat(roundTrip.code()).as("nothing was shown to be right").isEqualTo(1);
    assertThat(roundTrip.out()).contains("0 of 0 virtio-net sections");
  }

  // ---- where a stream comes from ----

  @Test
  void packedFilesAreReadWhateverTheirName() {
    Path file =
        new SmallStream().device(SmallStream.running()).packedAt(directory.resolve("x.bin"));

    assertThat(run("vmstate", "roundtrip", file).ok().out()).contains("1 of 1");
  }

  @Test
  void standardInputIsReadLikeAFile() {
    byte[] stream = new SmallStream().device(SmallStream.running()).bytes();
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(stream));
    try {
      assertThat(run("vmstate", "roundtrip", "-").ok().out()).contains("-: 1 of 1");
    } finally {
      System.setIn(before);
    }
    assertThat(run("vmstate", "diff", "-", "-").code()).isEqualTo(2);
    assertThat(run("plan", "-", "--early", "-").code()).isEqualTo(2);
  }

  @Test
  void whatCannotBeReadIsOneLine() throws IOException {
    byte[] stream = new SmallStream().device(SmallStream.running()).bytes();
    Path cut = Files.write(directory.resolve("cut"), Arrays.copyOf(stream, stream.length / 2));
    Path noise = Files.write(directory.resolve("noise"), new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
    Path empty = Files.write(directory.resolve("empty"), new byte[0]);
    Path packed = new SmallStream().device(SmallStream.running()).packedAt(directory.resolve("p"));
    Path cutPacked =
        Files.write(
            directory.resolve("q"),
            Arrays.copyOf(Files.readAllBytes(packed), (int) Files.size(packed) / 2));
    Path behind = Files.write(directory.resolve("more"), Arrays.copyOf(stream, stream.length + 1));

    for (Path file :
        List.of(cut, noise, empty, cutPacked, behind, directory, directory.resolve("missing"))) {
      for (List<Object> command :
          List.<List<Object>>of(
              List.of("vmstate", "show", file),
              List.of("vmstate", "roundtrip", file),
              List.of("vmstate", "diff", file, packed),
              List.of("plan", packed, "--early", file))) {
        Run run = run(command.toArray());
        assertThat(run.code()).as("%s", command).isEqualTo(1);
        assertThat(run.err())
            .as("%s", command)
            .hasLineCount(1)
            .startsWith("jvhost: " + file + ": ")
            .doesNotContain("internal error");
      }
    }
    assertThat(run("vmstate", "show", cut).err())
        .contains("reading section 0000:00:03.0/virtio-net, field ")
        .contains("at byte ")
        .contains("expected ");
    assertThat(run("vmstate", "show", directory.resolve("missing")).err())
        .contains("there is no such file");
  }

  // ---- roundtrip, diff, plan ----

  @Test
  void everySampleComesOutAsItWas() throws IOException {
    assumeTrue(Files.isDirectory(SAMPLES), "no sample streams at " + SAMPLES);
    try (Stream<Path> files = Files.list(SAMPLES)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".gz")).toList()) {
        assertThat(run("vmstate", "roundtrip", file).ok().out())
            .containsPattern(": ([12]) of \\1 virtio-net sections written back byte-identically");
        run("vmstate", "roundtrip", file, "--json").ok().json();
        run("vmstate", "show", file, "--json").ok().json();
        run("vmstate", "diff", file, file, "--json").ok().json();
        run("plan", file, "--json").ok().json();
      }
    }
  }

  @Test
  void diffNamesWhatChangedAndWhatItCosts() throws IOException {
    VirtioNetState state = SmallStream.running();
    Path before = running("before");
    Path after =
        new SmallStream()
            .device(SmallStream.withMac(state, "52:54:00:00:00:01"))
            .at(directory.resolve("after"));

    assertThat(run("vmstate", "diff", before, after).ok().out())
        .contains("0000:00:03.0: 1 field changed")
        .contains("  mac 02:00:00:00:00:01 -> 52:54:00:00:00:01")
        .containsPattern("explicit back end +4, +1 awaited +17, +15 awaited")
        .containsPattern("DPDK back end +4, +1 awaited +17, +15 awaited");
    assertThat(run("vmstate", "diff", before, before).ok().out())
        .contains("0000:00:03.0: nothing changed");
    assertThat(run("vmstate", "diff", before, after, "--json").ok().json().out())
        .contains("\"field\" : \"mac\"")
        .contains("\"after\" : \"52:54:00:00:00:01\"")
        .containsPattern("\"backEnd\" : \"DPDK\",\\s+\"stopWindow\" : \\{\\s+\"messages\" : 4");
  }

  @Test
  void diffSaysWhichDevicesAreInOneStreamOnly() {
    Path before = running("before");
    Path after =
        new SmallStream()
            .device("0000:00:07.0/virtio-net", SmallStream.running())
            .at(directory.resolve("after"));

    assertThat(run("vmstate", "diff", before, after).ok().out())
        .contains("0000:00:03.0: only in " + before)
        .contains("0000:00:07.0: only in " + after);
  }

  @Test
  void diffOfADeviceThatIsNotReadySaysWhyNothingWouldBeTold() {
    Path file =
        new SmallStream().device(SmallStream.untouched()).at(directory.resolve("not ready"));

    assertThat(run("vmstate", "diff", file, file).ok().out())
        .contains("no back end would be sent anything: ")
        .doesNotContain("awaited");
  }

  @Test
  void planShowsWhatWouldBeTold() throws IOException {
    Path file = running("a");

    assertThat(run("plan", file).ok().out())
        .contains("assumed: back end explicit, guest memory of 96 MiB at 0x0..0x5ffffff")
        .contains("early, from the same state: 19 messages, 18 replies awaited")
        .contains("in the stop window: 4 messages, 1 reply awaited")
        .contains("ring 1 base unknown -> 98")
        .contains("without presetup the window would have 17 messages, 15 replies awaited");
    assertThat(run("plan", file, "--back-end=dpdk").ok().out())
        .contains("in the stop window: 4 messages, 1 reply awaited");
    assertThat(run("plan", file, "--memory=6G").ok().out())
        .contains("guest memory of 6144 MiB at 0x0..0x7fffffff, 0x100000000..0x1ffffffff");
    assertThat(run("plan", file, "--json").ok().json().out())
        .contains("\"stopWindow\"")
        .contains("\"field\" : \"ring 1 base\"");
  }

  @Test
  void planWithAnEarlierStreamTellsTheDifferenceInTheWindow() {
    Path now = running("now");
    Path earlier =
        new SmallStream()
            .device(SmallStream.withMac(SmallStream.running(), "52:54:00:00:00:01"))
            .at(directory.resolve("earlier"));
    Path without = new SmallStream().other("timer").at(directory.resolve("without"));

    assertThat(run("plan", now, "--early", earlier).ok().out())
        .contains("early, from the state in " + earlier + ": 19 messages");
    assertThat(run("plan", now, "--early", without).ok().out())
        .contains("early, from the same state, as " + without + " does not have it: ");
  }

  @Test
  void aPlanThatCannotBeMadeIsAnErrorBehindTheOthers() {
    Path file = running("a");

    Run run = run("plan", file, "--memory=16M");

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.out()).contains("0000:00:03.0: no plan: ").contains("it was taken to be 16 MiB");
  }

  @Test
  void wrongWordsAreUsageErrors() {
    assertThat(run("vmstate").code()).isEqualTo(2);
    assertThat(run("vmstate", "show").code()).isEqualTo(2);
    assertThat(run("plan", running("a"), "--back-end=ovs").code()).isEqualTo(2);
    assertThat(run("plan", running("a"), "--dialect=upstream").err()).contains("has no PRESETUP");
  }

  @Test
  void theFixtureIsWhatItWas() {
    assertThat(VirtioNetVmState.encode(SmallStream.running())).hasSizeGreaterThan(1024);
  }
}
