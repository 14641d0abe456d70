package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.probe.BackEndProbe;
import io.github.jvhost.testkit.probe.PresetupVerdict;
import io.github.jvhost.testkit.probe.ProbeResult;
import io.github.jvhost.testkit.trace.SortedTimes;
import io.github.jvhost.virtio.DeviceStatus;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost probe}. */
@Command(
    name = "probe",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Connects to a vhost-user back end, asks what it is, and says so.",
      """
      Nothing is started, and no memory, ring, feature or status is set. To be allowed to ask for \
      queues, memory slots and status, the protocol features MQ, CONFIGURE_MEM_SLOTS and STATUS \
      are acknowledged where they are offered (SET_PROTOCOL_FEATURES); that ends with the \
      connection. A back end that serves one front end at a time is busy meanwhile.\
      """,
      ""
    },
    footer = {"", "  jvhost probe /run/vhost0"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:it answered", "1:it did not", "2:the command line is wrong"})
final class ProbeCommand implements Callable<Integer> {
  private static final int MOST_ROUND_TRIPS = 1_000_000;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "SOCKET", description = "Where the back end listens.")
  private Path socket;

  @Option(
      names = "--device",
      paramLabel = "KIND",
      completionCandidates = Candidates.DeviceKinds.class,
      description =
          """
          What it is a back end of: net, or other, for which feature bits of the device's own \
          have numbers and no names (default: net).\
          """)
  private String device = "net";

  @Option(
      names = "--dialect",
      paramLabel = "DIALECT",
      completionCandidates = Candidates.Dialects.class,
      description =
          """
          What numbers mean at this back end, which the wire does not tell: upstream, \
          rfc-2023, nvidia-qemu-8-2, or BIT:ID for PRESETUP with numbers of your own (default: \
          upstream).\
          """)
  private String dialectName = "upstream";

  @Option(
      names = "--round-trips",
      paramLabel = "N",
      description = "Questions whose answers are timed, 0 to 1000000 (default: 1000).")
  private int roundTrips = 1000;

  @Option(
      names = "--timeout",
      paramLabel = "TIME",
      converter = TimeSpan.Converter.class,
      description = "How long connecting, and each answer, may take (default: 2s).")
  private TimeSpan timeout = new TimeSpan(Duration.ofSeconds(2));

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ProbeCommand() {}

  @Override
  public Integer call() {
    Dialect dialect = Words.dialect(spec, dialectName);
    boolean net =
        Words.choose(spec, "--device", device, List.of("net", "other"), w -> w).equals("net");
    if (roundTrips < 0 || roundTrips > MOST_ROUND_TRIPS) {
      throw new ParameterException(
          spec.commandLine(),
          "--round-trips: 0 to %d, not %d".formatted(MOST_ROUND_TRIPS, roundTrips));
    }
    ProbeResult result = BackEndProbe.probe(socket, dialect, roundTrips, timeout.duration());
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(out, members -> write(members, result, net));
    } else {
      print(out, result, net);
    }
    return 0;
  }

  private void print(PrintWriter out, ProbeResult result, boolean net) {
    out.printf("%s%n", socket);
    out.printf("virtio features    0x%x%n", result.features());
    FeatureWords.of(result.features(), net).forEach(line -> out.println("  " + line));
    OptionalLong protocol = result.protocolFeatures();
    if (protocol.isEmpty()) {
      out.println("protocol features  none: it does not offer PROTOCOL_FEATURES (bit 30)");
    } else {
      out.printf("protocol features  0x%x%n", protocol.getAsLong());
      FeatureWords.wrapped(result.dialect().describe(protocol.getAsLong()))
          .forEach(line -> out.println("  " + line));
    }
    out.println(
        "queues             "
            + (result.queues().isPresent()
                ? "up to %d%s".formatted(result.queues().getAsLong(), net ? " pairs" : "")
                : "not asked, it does not offer MQ; one%s then".formatted(net ? " pair" : "")));
    out.println(
        "memory             "
            + (result.memorySlots().isPresent()
                ? "up to %d regions, one by one".formatted(result.memorySlots().getAsLong())
                : "a table of at most 8 regions, all at once"));
    out.println(
        "status             "
            + (result.status().isPresent()
                ? DeviceStatus.describe(result.status().getAsInt())
                : "it knows no virtio status (STATUS is not offered)"));
    out.println(
        "migration          "
            + (result.canLog() ? "it can log the pages that it writes" : "it cannot log pages"));
    out.println("early set-up");
    for (PresetupVerdict verdict : result.presetup()) {
      out.printf("  %s%n    %s%n", verdict.way(), verdict.words());
    }
    SortedTimes replies = result.replies();
    if (replies.count() > 0) {
      out.printf(
          "reply time         %.1f us median, %.1f us 90th, %.1f us 99th percentile, %.1f us"
              + " longest, of %d%n",
          replies.percentile(50) / 1e3,
          replies.percentile(90) / 1e3,
          replies.percentile(99) / 1e3,
          replies.percentile(100) / 1e3,
          replies.count());
    }
    out.println(
        "nothing was started; "
            + (result.acknowledged() == 0
                ? "nothing was set"
                : "acknowledged, to be allowed to ask: "
                    + result.dialect().describe(result.acknowledged())));
    out.flush();
  }

  private void write(JsonGenerator json, ProbeResult result, boolean net) throws IOException {
    json.writeStringField("socket", socket.toString());
    json.writeStringField("dialect", result.dialect().name());
    features(json, "features", result.features(), FeatureWords.names(result.features(), net));
    if (result.protocolFeatures().isPresent()) {
      long bits = result.protocolFeatures().getAsLong();
      features(
          json,
          "protocolFeatures",
          bits,
          bits == 0 ? List.of() : List.of(result.dialect().describe(bits).split("\\|", -1)));
    } else {
      json.writeNullField("protocolFeatures");
    }
    number(json, "queues", result.queues());
    number(json, "memorySlots", result.memorySlots());
    if (result.status().isPresent()) {
      json.writeNumberField("status", result.status().getAsInt());
    } else {
      json.writeNullField("status");
    }
    json.writeBooleanField("canLog", result.canLog());
    json.writeArrayFieldStart("presetup");
    for (PresetupVerdict verdict : result.presetup()) {
      json.writeStartObject();
      json.writeStringField("way", verdict.way());
      json.writeBooleanField("possible", verdict.possible());
      json.writeStringField("words", verdict.words());
      json.writeEndObject();
    }
    json.writeEndArray();
    SortedTimes replies = result.replies();
    json.writeObjectFieldStart("replyMicros");
    json.writeNumberField("count", replies.count());
    json.writeNumberField("median", replies.percentile(50) / 1e3);
    json.writeNumberField("p90", replies.percentile(90) / 1e3);
    json.writeNumberField("p99", replies.percentile(99) / 1e3);
    json.writeNumberField("longest", replies.percentile(100) / 1e3);
    json.writeEndObject();
    json.writeStringField("acknowledged", result.dialect().describe(result.acknowledged()));
  }

  private static void features(JsonGenerator json, String name, long bits, List<String> names)
      throws IOException {
    json.writeObjectFieldStart(name);
    json.writeStringField("bits", "0x" + Long.toHexString(bits));
    json.writeArrayFieldStart("names");
    for (String each : names) {
      json.writeString(each);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void number(JsonGenerator json, String name, OptionalLong number)
      throws IOException {
    if (number.isPresent()) {
      json.writeNumberField(name, number.getAsLong());
    } else {
      json.writeNullField(name);
    }
  }
}
