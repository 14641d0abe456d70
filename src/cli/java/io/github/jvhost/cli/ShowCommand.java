package io.github.jvhost.cli;

import io.github.jvhost.vmstate.RamBlock;
import io.github.jvhost.vmstate.SectionHeader;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code jvhost vmstate show}. */
@Command(
    name = "show",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        """
        Shows the virtio-net devices of a migration stream: features by name, rings, MAC address, \
        queue pairs, RSS, filters. Fields with the values of an unused device are left out, except in JSON. \
        Warns of split rings that cannot continue at the device's position, by the indexes in guest \
        memory. It cannot check this for standard input.\
        """,
    footer = {"", "  jvhost vmstate show stream.gz --device=0000:00:03.0"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:shown",
      "1:the stream could not be read, or has no such device",
      "2:the command line is wrong"
    })
final class ShowCommand implements Callable<Integer> {
  @Parameters(paramLabel = "FILE", description = "The stream; - is standard input.")
  private String file;

  @Option(
      names = "--device",
      paramLabel = "PATH",
      description = "Only this one, as in 0000:00:03.0.")
  private @Nullable String path;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ShowCommand() {}

  @Override
  public Integer call() {
    SavedMachine machine = SavedMachine.read(file, System.in);
    List<SavedMachine.Device> shown = shown(machine);
    Map<String, List<String>> warnings = RingsInMemory.warnings(file, machine);
    output.print(
        new Shown()
            .text("%s%n", machine.describe())
            .json("stream", machine.name())
            .json("machine", machine.machine())
            .json("memory", machine.blocks(), ShowCommand::block)
            .json("otherSections", machine.others())
            .json("otherBytes", machine.otherBytes())
            .text(shown.isEmpty() ? "no virtio-net devices%n" : "")
            .both(
                "devices",
                shown,
                device -> device(device, machine.early().contains(device), warnings)));
    return 0;
  }

  private List<SavedMachine.Device> shown(SavedMachine machine) {
    String only = path;
    if (only == null) {
      return Stream.concat(machine.early().stream(), machine.devices().stream()).toList();
    }
    SavedMachine.Device device = machine.requireDevice(only);
    return Stream.concat(machine.earlyOf(device).stream(), Stream.of(device)).toList();
  }

  private static Shown block(RamBlock block) {
    return new Shown().json("block", block.name()).json("bytes", block.length());
  }

  private static Shown device(
      SavedMachine.Device device, boolean early, Map<String, List<String>> warnings) {
    SectionHeader header = device.header();
    var shown =
        new Shown()
            .both("section", header.idstr(), "%n%s")
            .both("instance", header.instance(), header.instance() == 0 ? "" : ", instance %d")
            .text(" (section %d, version %d)%n", header.id(), header.version())
            .json("path", device.path())
            .json("early", early);
    SavedFieldsSummary.add(shown, device.state());
    List<String> own = early ? List.of() : warnings.getOrDefault(device.path(), List.of());
    own.forEach(line -> shown.text("  warning: %s%n", line));
    return shown.json("warnings", own);
  }
}
