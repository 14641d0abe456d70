package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code jvhost plan} makes of streams that a user of QEMU 11 tries first. */
class PlanCommandTest {
  private static final SectionShape PCI = SectionShape.pci(1, 256);
  private static final String ARM_SLOT = "virtio-mmio@000000000a003e00/virtio-net";

  @TempDir private Path directory;

  /** What became of a command. */
  private record Run(int code, String out, String err) {}

  private static Run run(Object... arguments) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] words = Arrays.stream(arguments).map(String::valueOf).toArray(String[]::new);
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), words);
    return new Run(code, out.toString(), err.toString());
  }

  private static Run planned(Object... arguments) {
    Run run = run(arguments);
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).doesNotContain("no plan");
    assertThat(run.code()).isZero();
    return run;
  }

  private Path stream(String machine, long bytes, VirtioNetState state) {
    return new SmallStream(machine, bytes).device(state).at(directory.resolve("stream"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tap-default", "mtu-speed"})
  void whatQemu11WroteIsWrittenBack(String name) {
    byte[] body = SmallStream.unpacked("qemu11/" + name + ".bin.gz");

    assertThat(VirtioNetVmState.encode(SmallStream.sample("qemu11/" + name + ".bin.gz", PCI)))
        .isEqualTo(body);
  }

  @Test
  void whatATapHasAndAVhostUserDeviceHasNotIsNamedAndLeftOut() throws IOException {
    VirtioNetState tap = SmallStream.sample("qemu11/tap-default.bin.gz", PCI);
    Path file = stream("pc-q35-11.1", 64 << 20, tap);

    assertThat(planned("plan", file).out())
        .contains(
            "  planned without what a device of this library does not have: feature 65, feature 66,"
                + " feature 67, feature 68\n")
        .contains("  planned without RING_RESET: this back end does not offer that")
        .contains("ring 1 address not sent -> desc 0x108000 used 0x10c000 avail 0x10a000")
        .contains("in the stop window: 4 messages, 1 reply awaited");
    assertThat(planned("plan", file, "--json").out())
        .containsPattern("\"without\" : \\[\\s*\"feature 65\"")
        .containsPattern("\"notOffered\" : \\[\\s*\"RING_RESET\"\\s*\\]");
    assertThat(planned("plan", file, "--early", file).out()).contains("early, from the state in");
  }

  @Test
  void theKernelIsToldRingsEarlyAndStartsThemInTheWindow() {
    VirtioNetState tap = SmallStream.sample("qemu11/tap-default.bin.gz", PCI);
    Path file = stream("pc-q35-11.1", 64 << 20, tap);

    assertThat(planned("plan", file, "--back-end=vhost-net").out())
        .contains("assumed: back end vhost-net")
        .containsPattern("ring 1 address .*\\R(.*\\R)*  in the stop window: 4 steps of the kernel")
        .containsPattern(
            "window: .*\\R.*ring 0 base.*\\R.*ring 1 base.*\\R.*ring 0 served.*\\R.*ring 1 served");
    assertThat(planned("plan", file, "--back-end=vdpa").out())
        .as("a real destination refuses a guest that has it")
        .containsPattern(
            "planned without RING_RESET: this back end does not offer that, and a guest that has"
                + " negotiated it cannot arrive there")
        .containsPattern(
            "window: 7 steps .*\\R(.*\\R){2}    status 0x8 -> 0xf .*\\R    command receive mode"
                + " PROMISCUOUS on .*\\R    command mac .*\\R    ring 0 served");
    assertThat(planned("plan", file, "--back-end=vdpa-explicit").out())
        .contains("assumed: back end vDPA, started early")
        .containsPattern(
            "    status 0x8 -> 0xf (.*\\R)*    command mac (.*\\R)*    suspended not sent -> true")
        .containsPattern(
            "window: 7 steps .*\\R.*base.*\\R.*address(.*\\R){5}    suspended true -> false");
  }

  @Test
  void theSpeedOfTheLinkIsNotTheBackEnds() {
    VirtioNetState state = SmallStream.sample("qemu11/mtu-speed.bin.gz", PCI);

    assertThat(planned("plan", stream("pc-q35-11.1", 64 << 20, state)).out())
        .contains("mtu not sent -> 1500")
        .as("bit 63 is not sent, 30 is")
        .contains("features not sent -> 0x140208008 ");
  }

  @Test
  void aPlanOfWhatEveryDeviceHasNamesNothing() {
    assertThat(planned("plan", stream("pc-q35-7.2", 96 << 20, SmallStream.running())).out())
        .doesNotContain("planned without");
  }

  @Test
  void theRamOfAnArmMachineIsWhereItIs() {
    VirtioNetState state =
        SmallStream.sample("qemu11/arm-mmio-started.bin.gz", SectionShape.mmio(1));
    Path file =
        new SmallStream("virt-11.1", 128 << 20)
            .device(ARM_SLOT, state)
            .at(directory.resolve("arm"));

    assertThat(planned("plan", file).out())
        .contains("guest memory of 128 MiB at 0x40000000..0x47ffffff")
        .contains("ring 0 address not sent -> desc 0x40100000");
    assertThat(planned("plan", file, "--memory=1G@0x40000000").out())
        .contains("guest memory of 1024 MiB at 0x40000000..0x7fffffff");
    assertThat(planned("plan", file, "--memory=64M@0", "--memory=64M@1G").out())
        .contains("guest memory of 128 MiB at 0x0..0x3ffffff, 0x40000000..0x43ffffff");
    Run elsewhere = run("plan", file, "--memory=128M@0x80000000");
    assertThat(elsewhere.code()).isEqualTo(1);
    assertThat(elsewhere.out())
        .contains("it was taken to be 128 MiB at 0x80000000..0x87ffffff; --memory=SIZE@BASE says");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--memory=1G@",
        "--memory=1G@0x",
        "--memory=1G@1x",
        "--memory=@1G",
        "--memory=1G@0x801",
        "--memory=100@0",
        "--memory=2M@0x7ffffffffffff000",
        "--memory=8000000G"
      })
  void aPlaceThatIsNoneIsAUsageError(String option) {
    Run run = run("plan", stream("pc", 96 << 20, SmallStream.running()), option);

    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("--memory");
  }

  @Test
  void severalPlacesNeedTheirAddresses() {
    Path file = stream("pc", 96 << 20, SmallStream.running());

    assertThat(run("plan", file, "--memory=64M", "--memory=64M@1G").err())
        .contains("more than one only where each has its address");
    Run overlapping = run("plan", file, "--memory=64M@0", "--memory=64M@32M");
    assertThat(overlapping.code()).isEqualTo(2);
    assertThat(overlapping.err()).contains("--memory: guest memory at 0x0..", "overlaps");
  }

  @Test
  void twoStreamsOfUnlikeDevicesAreSpokenOfAsTwo() {
    VirtioNetState pairs = SmallStream.sample("c_pc_mq4.0.bin.gz", SectionShape.pci(4, 256));
    Path earlier = new SmallStream().device(pairs).at(directory.resolve("earlier"));
    Path file = stream("pc-q35-7.2", 96 << 20, SmallStream.running());

    for (Run run :
        List.of(planned("plan", file, "--early", earlier), run("vmstate", "diff", earlier, file))) {
      assertThat(run.code()).isZero();
      assertThat(run.out())
          .contains("sent early: the earlier state has 4 queue pairs, the later one has 1")
          .doesNotContain("restoring", "this device");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ppc-pseries-head", "s390x-head"})
  void whatEndsTheReadingIsNamedWithWhatAUserCanDo(String name) throws IOException {
    Path file =
        Files.write(directory.resolve(name), SmallStream.unpacked("qemu11/" + name + ".gz"));

    for (String[] command : new String[][] {{"plan"}, {"vmstate", "show"}}) {
      Object[] words = Arrays.copyOf(command, command.length + 1, Object[].class);
      words[command.length] = file;
      Run run = run(words);
      assertThat(run.code()).isEqualTo(1);
      assertThat(run.err().lines()).hasSize(1);
      assertThat(run.err())
          .contains(name.startsWith("ppc") ? "section spapr/htab" : "s390-storage_attributes")
          .contains("cannot be passed over: it comes in parts")
          .contains("save the machine without it")
          .doesNotContain("handler");
    }
  }

  @Test
  void aStreamThatWasCutOffSaysSo() throws IOException {
    byte[] whole = new SmallStream().other("timer").bytes();
    Path file = directory.resolve("cut");
    // Behind the section's three bytes: its footer, the end, and the description.
    Files.write(
        file,
        Arrays.copyOf(whole, new String(whole, StandardCharsets.ISO_8859_1).lastIndexOf("timer")));
    Path none = directory.resolve("none");
    Files.writeString(none, "this is no stream");

    assertThat(run("plan", file).err())
        .contains("section timer")
        .contains("It was cut off, or QEMU ran with suppress-vmdesc=on: save it again, whole")
        .doesNotContain("handler");
    assertThat(run("plan", none).err()).contains("at byte 0: expected a migration stream");
    Files.write(file, Arrays.copyOf(whole, 9));
    assertThat(run("plan", file).err()).contains("the stream was cut off");
    Files.write(file, new byte[] {0x1F, (byte) 0x8B, 8, 0, 0});
    assertThat(run("plan", file).err()).contains("it was cut off").doesNotContain("null");
  }
}
