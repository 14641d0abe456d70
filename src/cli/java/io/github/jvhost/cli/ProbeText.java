package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.probe.EarlyPart;
import io.github.jvhost.testkit.probe.PresetupVerdict;
import io.github.jvhost.testkit.probe.ProbeResult;
import io.github.jvhost.testkit.trace.SortedTimes;
import io.github.jvhost.virtio.DeviceStatus;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** What a back end is, for people. */
final class ProbeText {
  private ProbeText() {}

  static void print(PrintWriter out, Path socket, ProbeResult result, boolean net) {
    out.printf("%s%n", socket);
    out.printf("virtio features    0x%x%n", result.features());
    FeatureWords.lines(FeatureWords.names(result.features(), net))
        .forEach(line -> out.println("  " + line));
    OptionalLong protocol = result.protocolFeatures();
    if (protocol.isEmpty()) {
      out.println("protocol features  none: it does not offer PROTOCOL_FEATURES (bit 30)");
    } else {
      out.printf("protocol features  0x%x%n", protocol.getAsLong());
      FeatureWords.lines(FeatureWords.protocolNames(protocol.getAsLong(), result.dialect()))
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
    out.println("migration          " + logging(result));
    for (ProbeResult.Warning warning : result.warnings()) {
      out.println("beware             " + warning(warning));
    }
    out.println("early set-up");
    for (PresetupVerdict verdict : result.presetup()) {
      out.printf("  %s%n    %s%n", way(verdict.way()), words(verdict));
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

  private static String logging(ProbeResult result) {
    if (result.canLog()) {
      return "it can log the pages that it writes";
    }
    return result.offersLogging()
        ? "it offers LOG_ALL and not LOG_SHMFD, without which no log can be given to it"
        : "it cannot log pages";
  }

  private static String warning(ProbeResult.Warning warning) {
    return switch (warning) {
      case SHMEM_ON_BIT_21 ->
          "bit 21 is GPA_ADDRESSES; built with rust-vmm's vhost before 0.17 it means SHMEM";
      case CONFIG_FLAGS ->
          "flags of SET_CONFIG are 0 and 1; rust-vmm and crosvm take 1 and 2 for them";
    };
  }

  private static String way(PresetupVerdict.Way way) {
    return switch (way) {
      case PresetupVerdict.Explicit(Dialect dialect) -> "explicit, dialect " + Words.label(dialect);
      case PresetupVerdict.Implicit(var profile) -> "implicit, profile " + Words.label(profile);
    };
  }

  private static String words(PresetupVerdict verdict) {
    return switch (verdict.reason()) {
      case OFFERED -> "yes, told early: " + early(verdict.early());
      case IF_OF_PROFILE ->
          "yes, if it is one: the wire does not tell. Told early: " + early(verdict.early());
      case NO_STATUS -> "no: STATUS is not offered, without which nothing holds the rings";
      case NO_PRESETUP ->
          "no: protocol feature bit %d is not offered".formatted(bit(dialect(verdict)));
      case IF_OF_DIALECT -> {
        Dialect dialect = dialect(verdict);
        yield "bit %d is offered; upstream it means %s. If it was built for this dialect (say"
                .formatted(bit(dialect), ProtocolFeature.describe(1L << bit(dialect)))
            + " --dialect=%s): %s".formatted(Words.label(dialect), early(verdict.early()));
      }
    };
  }

  private static Dialect dialect(PresetupVerdict verdict) {
    return switch (verdict.way()) {
      case PresetupVerdict.Explicit(Dialect dialect) -> dialect;
      case PresetupVerdict.Implicit _ -> throw new IllegalArgumentException("no dialect matters");
    };
  }

  private static int bit(Dialect dialect) {
    return dialect.presetup().orElseThrow().bit();
  }

  /** "size, call, enable of each ring, memory, features, MTU". */
  private static String early(List<EarlyPart> parts) {
    String ofRings =
        parts.stream()
            .filter(EarlyPart::isOfRing)
            .map(part -> Words.label(part))
            .collect(Collectors.joining(", "));
    return parts.stream()
        .filter(part -> !part.isOfRing())
        .map(part -> part == EarlyPart.MTU ? "MTU" : Words.label(part))
        .collect(Collectors.joining(", ", ofRings + " of each ring, ", ""));
  }
}
