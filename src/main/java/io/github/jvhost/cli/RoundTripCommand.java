package io.github.jvhost.cli;

import io.github.jvhost.virtio.Bytes;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost vmstate roundtrip}. */
@Command(
    name = "roundtrip",
    mixinStandardHelpOptions = true,
    description = {
      "Reads a migration stream and writes its virtio-net sections again. Exit code 0: there are"
          + " some, and",
      "each came out as it was, byte for byte."
    })
final class RoundTripCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "The stream; - is standard input.")
  private String file;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  RoundTripCommand() {}

  @Override
  public Integer call() {
    SavedMachine machine = SavedMachine.read(file, System.in);
    PrintWriter out = spec.commandLine().getOut();
    List<SavedMachine.Device> all =
        Stream.concat(machine.early().stream(), machine.devices().stream()).toList();
    int same = 0;
    for (SavedMachine.Device device : all) {
      byte[] read = device.body().toArray();
      byte[] written = VirtioNetVmState.encode(device.state());
      int difference = Arrays.mismatch(read, written);
      if (difference < 0) {
        same++;
      } else {
        out.println(describe(device, difference, read, written));
      }
    }
    out.println(
        "%s: %d of %d virtio-net sections written back byte-identically"
            .formatted(file, same, all.size()));
    out.flush();
    return same == all.size() && same > 0 ? 0 : 1;
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
    return Bytes.copyOf(Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 8))).toString();
  }
}
