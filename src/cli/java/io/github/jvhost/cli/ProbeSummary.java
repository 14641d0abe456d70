package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.probe.EarlyPart;
import io.github.jvhost.testkit.probe.PresetupVerdict;
import io.github.jvhost.testkit.probe.ProbeResult;
import io.github.jvhost.testkit.trace.FeatureNames;
import io.github.jvhost.testkit.trace.SortedTimes;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceStatus;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** The answers of a back end as output. */
final class ProbeSummary {
  private ProbeSummary() {}

  static Shown of(Path socket, ProbeResult result, boolean net) {
    var shown =
        new Shown()
            .both("socket", socket.toString(), "%s%n")
            .json("dialect", Words.label(result.dialect()))
            .text("virtio features    ")
            .both("features", features(result.features(), FeatureNames.of(result.features(), net)))
            .text("protocol features  ");
    OptionalLong protocol = result.protocolFeatures();
    if (protocol.isPresent()) {
      long bits = protocol.getAsLong();
      shown.both(
          "protocolFeatures", features(bits, FeatureWords.protocolNames(bits, result.dialect())));
    } else {
      shown.both("protocolFeatures", null, "none: it does not offer PROTOCOL_FEATURES (bit 30)%n");
    }
    String pairs = net ? " pairs" : "";
    String pair = net ? " pair" : "";
    shown
        .both(
            "queues",
            result.queues(),
            "queues             up to %d" + pairs + "%n",
            "queues             not asked, it does not offer MQ; one" + pair + " then%n")
        .both(
            "memorySlots",
            result.memorySlots(),
            "memory             up to %d regions, one by one%n",
            "memory             a table of at most 8 regions, all at once%n");
    if (result.status().isPresent()) {
      int status = result.status().getAsInt();
      shown.json("status", status).text("status             %s%n", DeviceStatus.describe(status));
    } else {
      shown.both(
          "status", null, "status             it knows no virtio status (STATUS is not offered)%n");
    }
    shown
        .json("canLog", result.canLog())
        .text("migration          %s%n", logging(result))
        .json("warnings", result.warnings().stream().map(Words::label).toList());
    result.warnings().forEach(each -> shown.text("beware             %s%n", warning(each)));
    shown.text("presetup%n").both("presetup", result.presetup(), ProbeSummary::verdict);
    SortedTimes replies = result.replies();
    var micros =
        new Shown()
            .json("count", replies.count())
            .both("median", replies.percentile(50) / 1e3, "reply time         %.1f us median, ")
            .both("p90", replies.percentile(90) / 1e3, "%.1f us 90th, ")
            .both("p99", replies.percentile(99) / 1e3, "%.1f us 99th percentile, ")
            .both("longest", replies.percentile(100) / 1e3, "%.1f us longest, ")
            .text("of %d%n", replies.count());
    (replies.count() > 0 ? shown.both("replyMicros", micros) : shown.json("replyMicros", micros))
        .json("acknowledged", FeatureWords.protocolNames(result.acknowledged(), result.dialect()))
        .text(
            "nothing was started; %s%n",
            result.acknowledged() == 0
                ? "nothing was set"
                : "acknowledged, to be allowed to ask: "
                    + result.dialect().describe(result.acknowledged()));
    return shown;
  }

  static Shown features(long bits, List<String> names) {
    var shown = new Shown().both("bits", "0x" + Long.toHexString(bits), "%s%n");
    FeatureWords.lines(names).forEach(line -> shown.text("  %s%n", line));
    return shown.json("names", names);
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

  private static Shown verdict(PresetupVerdict verdict) {
    var shown = new Shown();
    switch (verdict.way()) {
      case PresetupVerdict.Explicit(Dialect dialect) ->
          shown
              .both("way", "explicit", "  %s, ")
              .both("dialect", Words.label(dialect), "dialect %s%n")
              .json("bit", bit(dialect));
      case PresetupVerdict.Implicit(BackEndProfile profile) ->
          shown
              .both("way", "implicit", "  %s, ")
              .both("profile", Words.label(profile), "profile %s%n");
    }
    return shown
        .json("possible", verdict.possible())
        .json("reason", Words.label(verdict.reason()))
        .text("    %s%n", words(verdict))
        .json("early", verdict.early().stream().map(Words::label).toList());
  }

  private static String words(PresetupVerdict verdict) {
    return switch (verdict.reason()) {
      case OFFERED -> "yes, sent early: " + early(verdict.early());
      case IF_OF_PROFILE ->
          "yes, if it is one: the wire does not show it. Sent early: " + early(verdict.early());
      case NO_STATUS -> "no: STATUS is not offered, and without it the rings would start too early";
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
  static String early(List<EarlyPart> parts) {
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
