package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.Bytes;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost vmstate roundtrip}. */
@Command(
    name = "roundtrip",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Reads a migration stream and writes its virtio-net sections again.",
    footer = {"", "  jvhost vmstate roundtrip stream.gz"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:there are some, and each came out as it was, byte for byte",
      "1:there are none, one differs, or the stream could not be read",
      "2:the command line is wrong"
    })
final class RoundTripCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "The stream; - is standard input.")
  private String file;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  RoundTripCommand() {}

  /** How a section was written back; of two that are the same nothing is to be said. */
  private record Section(String device, int length, Optional<String> difference) {}

  @Override
  public Integer call() {
    SavedMachine machine = SavedMachine.read(file, System.in);
    List<Section> sections =
        Stream.concat(machine.early().stream(), machine.devices().stream())
            .map(RoundTripCommand::writtenBack)
            .toList();
    long same = sections.stream().filter(section -> section.difference().isEmpty()).count();
    boolean good = same == sections.size() && same > 0;
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(out, members -> write(members, sections, good));
    } else {
      sections.forEach(section -> section.difference().ifPresent(out::println));
      out.println(
          "%s: %d of %d virtio-net sections written back byte-identically"
              .formatted(file, same, sections.size()));
    }
    out.flush();
    return good ? 0 : 1;
  }

  private static Section writtenBack(SavedMachine.Device device) {
    byte[] read = device.body().toArray();
    byte[] written = VirtioNetVmState.encode(device.state());
    int at = Arrays.mismatch(read, written);
    return new Section(
        device.header().idstr(),
        read.length,
        at < 0 ? Optional.empty() : Optional.of(describe(device, at, read, written)));
  }

  private void write(JsonGenerator json, List<Section> sections, boolean good) throws IOException {
    json.writeStringField("stream", file);
    json.writeBooleanField("identical", good);
    json.writeArrayFieldStart("sections");
    for (Section section : sections) {
      json.writeStartObject();
      json.writeStringField("device", section.device());
      json.writeNumberField("bytes", section.length());
      json.writeBooleanField("identical", section.difference().isEmpty());
      if (section.difference().isPresent()) {
        json.writeStringField("difference", section.difference().get());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static String describe(SavedMachine.Device device, int at, byte[] read, byte[] written) {
    return "%s: differs at byte %d of %d: read %s, wrote %s"
        .formatted(device.header().idstr(), at, read.length, around(read, at), around(written, at));
  }

  /** The bytes from there on, or that it is the end. */
  private static String around(byte[] bytes, int at) {
    if (at >= bytes.length) {
      return "its end";
    }
    return Bytes.copyOf(Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 8))).toHex();
  }
}
