package io.github.jvhost.cli;

import io.github.jvhost.report.Json;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What goes on in a mediator as output. */
final class MediateSummary {
  private MediateSummary() {}

  static Shown of(Json answer) {
    return new Shown().both("nics", answer.at("nics").elements(), MediateSummary::nic);
  }

  private static Shown nic(Json nic) {
    String theSwitch = nic.at("switch").textOrNull();
    boolean logging = nic.at("logging").truth();
    var shown =
        new Shown()
            .both("nic", line(nic.at("nic").text()), "%s  ")
            .json("state", nic.at("state").text())
            .text("%s", words(nic.at("state").text()))
            .json("logging", logging)
            .text(logging ? ", being migrated" : "")
            .json("switch", theSwitch)
            .text(theSwitch == null ? "%n" : "; switch %s%n", theSwitch)
            .json("features", nic.at("features").text());
    List<String> names = nic.at("featureNames").elements().stream().map(Json::text).toList();
    shown.json("featureNames", names);
    if (!names.isEmpty()) {
      String label = "features";
      for (String line : FeatureWords.lines(names)) {
        shown.text("  %-10s %s%n", label, line);
        label = "";
      }
    }
    rings(shown, nic.at("rings").elements());
    shown
        .both("messages", nic.at("messages").count(), "  messages   %d of the front end, ")
        .both("messagesToTheSwitch", nic.at("messagesToTheSwitch").count(), "%d to switches%n")
        .both("standby", orNull(nic.at("standby"), MediateSummary::standby))
        .both("presetup", orNull(nic.at("presetup"), MediateSummary::presetup))
        .both("lastStart", orNull(nic.at("lastStart"), MediateSummary::start));
    sentence(shown, nic, "lastFailure", "last failure");
    sentence(shown, nic, "notSaved", "not saved");
    return shown;
  }

  private static void sentence(Shown shown, Json nic, String member, String label) {
    String text = nic.at(member).textOrNull();
    shown.json(member, text);
    if (text != null) {
      shown.text("  %s: %s%n", label, line(text));
    }
  }

  private interface Part {
    Shown of(Json json);
  }

  private static @Nullable Shown orNull(Json json, Part part) {
    return json.isNull() ? null : part.of(json);
  }

  /** Text of others on one line, without control characters. */
  private static String line(String text) {
    return text.replaceAll("\\p{Cntrl}", "?");
  }

  private static String words(String state) {
    return switch (state) {
      case "NO_FRONT_END" -> "no front end";
      case "NO_SWITCH" -> "runs, and no switch serves it";
      case "PASS_THROUGH" -> "pass-through, not preset";
      case "BUSY" -> "busy with its switch";
      default -> line(state).toLowerCase(Locale.ROOT);
    };
  }

  private static void rings(Shown shown, List<Json> rings) {
    shown.json(
        "rings",
        rings,
        ring ->
            new Shown()
                .json("size", ring.at("size").count())
                .json("enabled", ring.at("enabled").truth()));
    if (!rings.isEmpty()) {
      List<String> each =
          rings.stream()
              .map(ring ->
                  ring.at("size").count() + (ring.at("enabled").truth() ? "" : " (disabled)"))
              .toList();
      shown.text("  %-10s %s entries%n", "rings", String.join(", ", each));
    }
  }

  private static Shown standby(Json standby) {
    boolean ready = standby.at("ready").truth();
    return new Shown()
        .both("switch", line(standby.at("switch").text()), "  standby    %s, ")
        .json("ready", ready)
        .text(ready ? "ready%n" : "not ready%n");
  }

  private static Shown presetup(Json presetup) {
    boolean complete = presetup.at("complete").truth();
    return new Shown()
        .both("from", line(presetup.at("from").text()), "  presetup   as %s says: ")
        .both("messages", presetup.at("messages").count(), "%d messages ")
        .both("micros", presetup.at("micros").count(), "in %d us")
        .json("complete", complete)
        .text(complete ? "%n" : ", not complete%n");
  }

  private static Shown start(Json start) {
    List<String> steps =
        start.at("steps").elements().stream().map(Json::text).map(MediateSummary::line).toList();
    var shown =
        new Shown()
            .both("messages", start.at("messages").count(), "  last start %d messages ")
            .both("micros", start.at("micros").count(), "in %d us%n")
            .json("steps", steps);
    steps.forEach(step -> shown.text("    %s%n", step));
    return shown;
  }
}
