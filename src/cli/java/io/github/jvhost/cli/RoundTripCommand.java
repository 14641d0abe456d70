package io.github.jvhost.cli;

import io.github.jvhost.Bytes;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

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
  @Parameters(paramLabel = "FILE", description = "The stream; - is standard input.")
  private String file;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  RoundTripCommand() {}

  /** How a section was written back. The difference is empty if the bytes are the same. */
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
    output.print(
        new Shown()
            .json("stream", file)
            .json("identical", good)
            .both("sections", sections, RoundTripCommand::shown)
            .text(
                "%s: %d of %d virtio-net sections written back byte-identically%n",
                file, same, sections.size()));
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

  private static Shown shown(Section section) {
    var shown =
        new Shown()
            .json("device", section.device())
            .json("bytes", section.length())
            .json("identical", section.difference().isEmpty());
    section.difference().ifPresent(difference -> shown.both("difference", difference, "%s%n"));
    return shown;
  }

  private static String describe(SavedMachine.Device device, int at, byte[] read, byte[] written) {
    return "%s: differs at byte %d of %d: read %s, wrote %s"
        .formatted(device.header().idstr(), at, read.length, around(read, at), around(written, at));
  }

  /** Returns the first bytes from there on, or a word for the end. */
  private static String around(byte[] bytes, int at) {
    if (at >= bytes.length) {
      return "its end";
    }
    return Bytes.copyOf(Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 8))).toHex();
  }
}
