package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.vmstate.RamBlock;
import io.github.jvhost.vmstate.SavedFields;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost vmstate show}. */
@Command(
    name = "show",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        """
        Shows the virtio-net devices of a migration stream: features by name, rings, MAC address, \
        queue pairs, RSS, filters. What an unused device has too is left out, except in JSON. \
        Warns of split rings that cannot go on where the device says, by the indexes in guest \
        memory; not of what comes from standard input.\
        """,
    footer = {"", "  jvhost vmstate show stream.gz --device=0000:00:03.0"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:shown",
      "1:the stream could not be read, or has no such device",
      "2:the command line is wrong"
    })
final class ShowCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "The stream; - is standard input.")
  private String file;

  @Option(
      names = "--device",
      paramLabel = "PATH",
      description = "Only this one, as in 0000:00:03.0.")
  private @Nullable String path;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ShowCommand() {}

  @Override
  public Integer call() {
    SavedMachine machine = SavedMachine.read(file, System.in);
    List<SavedMachine.Device> shown = shown(machine);
    Map<String, List<String>> warnings = RingsInMemory.warnings(file, machine);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(out, members -> write(members, machine, shown, warnings));
      return 0;
    }
    out.println(machine.describe());
    if (shown.isEmpty()) {
      out.println("no virtio-net devices");
    }
    for (SavedMachine.Device device : shown) {
      out.println();
      out.println(title(device));
      SavedFieldsText.print(device.state(), out);
      if (!machine.early().contains(device)) {
        warnings
            .getOrDefault(device.path(), List.of())
            .forEach(line -> out.println("  warning: " + line));
      }
    }
    out.flush();
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

  private static String title(SavedMachine.Device device) {
    String order =
        device.header().instance() == 0 ? "" : ", instance " + device.header().instance();
    return "%s%s (section %d, version %d)"
        .formatted(device.header().idstr(), order, device.header().id(), device.header().version());
  }

  private static void write(
      JsonGenerator json,
      SavedMachine machine,
      List<SavedMachine.Device> shown,
      Map<String, List<String>> warnings)
      throws IOException {
    json.writeStringField("stream", machine.name());
    json.writeStringField("machine", machine.machine());
    json.writeArrayFieldStart("memory");
    for (RamBlock block : machine.blocks()) {
      json.writeStartObject();
      json.writeStringField("block", block.name());
      json.writeNumberField("bytes", block.length());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeNumberField("otherSections", machine.others());
    json.writeNumberField("otherBytes", machine.otherBytes());
    json.writeArrayFieldStart("devices");
    for (SavedMachine.Device device : shown) {
      json.writeStartObject();
      json.writeStringField("section", device.header().idstr());
      json.writeNumberField("instance", device.header().instance());
      json.writeStringField("path", device.path());
      json.writeBooleanField("early", machine.early().contains(device));
      SavedFieldsJson.members(json, SavedFields.of(device.state()));
      boolean early = machine.early().contains(device);
      JsonText.strings(
          json, "warnings", early ? List.of() : warnings.getOrDefault(device.path(), List.of()));
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
