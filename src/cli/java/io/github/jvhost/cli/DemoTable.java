package io.github.jvhost.cli;

import io.github.jvhost.testkit.scenario.RunResult;
import io.github.jvhost.testkit.scenario.ScenarioOptions;
import io.github.jvhost.testkit.scenario.ScenarioOptions.BackEndKind;
import io.github.jvhost.testkit.scenario.Variant;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The results of a demo as a table: a row for each fact, a column for each way. */
final class DemoTable {
  private static final int LABEL = 36;
  private static final int COLUMN = 15;

  private DemoTable() {}

  /** The name of the program, or of the kernel's part, that is the back end. */
  static String backEnd(ScenarioOptions options) {
    return switch (options.backEnd()) {
      case MOCK -> "mock";
      case DPDK -> "dpdk-testpmd";
      case VHOST_NET -> "vhost-net";
    };
  }

  static void write(List<RunResult> results, PrintWriter out) {
    RunResult first = results.getFirst();
    out.printf(
        "%d NIC(s) x %d queue pair(s), %d MiB, back end: %s%n%n",
        first.options().devices(),
        first.options().queuePairs(),
        first.options().memoryBytes() >> 20,
        backEnd(first.options()));
    row(out, "", results, r -> r.options().variant().label());
    if (first.options().backEnd() == BackEndKind.MOCK) {
      row(out, "the mock behaves as", results, r -> Words.label(r.options().personality()));
    }
    row(out, "guest runs on", results, RunResult::ranOn);
    row(out, "destination: messages in the window", results, r -> "" + r.messages());
    row(out, "destination: waits for a back end", results, r -> "" + r.waits());
    row(out, "destination: window, us", results, r -> "" + r.destinationMicros());
    if (first.options().backEnd() == BackEndKind.MOCK) {
      row(out, "  of it configuring (modelled), us", results, r -> "" + r.backEndConfigMicros());
    }
    RunResult off = of(results, Variant.OFF);
    RunResult pipelined = of(results, Variant.OFF_PIPELINED);
    row(out, "  times shorter than off", results, r -> ratio(off, r));
    row(out, "  times shorter than off-pipelined", results, r -> ratio(pipelined, r));
    row(out, "source: messages, waits", results, r -> r.sourceMessages() + ", " + r.sourceWaits());
    for (String phase : phases(results)) {
      row(out, phase + ", us", results, r -> "" + r.phases().getOrDefault(phase, 0L));
    }
    if (first.options().iommu()) {
      iotlb(out, results);
    }
    row(out, "pages in the last round, of all", results, DemoTable::pages);
    row(out, "memory resident before the window", results, r -> percent(r.residentShare()));
    row(out, "working set", results, r -> r.checksumOk() ? "intact" : "DAMAGED");
    row(out, "pings: longest gap, ms", results, r -> millis(r.longestGapMicros()));
    row(out, "pings to the guest: longest gap, ms", results, r -> inboundGap(r));
    row(
        out,
        "pings dropped by a back end, which counted them",
        results,
        r -> "" + r.droppedByBackEnd());
    row(out, "pings lost otherwise", results, r -> "" + r.lost());
    row(out, "pings recovered", results, r -> r.recovered() ? "yes" : "NO");
    if (results.stream().anyMatch(DemoTable::isConfiguredLateInSpiteOfPresetup)) {
      out.printf(
          "%nWhat a back end without PRESETUP configures at DRIVER_OK stays in the window, sent"
              + " early or not.%nWhat it does at its memory table does not:"
              + " --hardware-model=locked-memory%n");
    }
    for (RunResult result : results) {
      notes(out, result);
    }
    out.flush();
  }

  private static void iotlb(PrintWriter out, List<RunResult> results) {
    row(
        out,
        "translations told: early, in window",
        results,
        r -> of(r, i -> i.toldEarly() + ", " + i.toldInWindow()));
    row(
        out,
        "misses: in window, after it",
        results,
        r -> of(r, i -> i.missesInWindow() + ", " + i.missesAfter()));
    row(
        out,
        "frames lost to a miss",
        results,
        r -> of(r, i -> i.framesLost() == null ? "-" : "" + i.framesLost()));
    row(out, "told wider than the guest permits", results, r -> of(r, i -> "" + i.widened()));
  }

  private static String of(RunResult result, Function<RunResult.Iotlb, String> shown) {
    return result.iotlb() == null ? "-" : shown.apply(result.iotlb());
  }

  private static boolean isConfiguredLateInSpiteOfPresetup(RunResult r) {
    return r.options().variant().mode() == PresetupMode.IMPLICIT && r.backEndConfigMicros() > 0;
  }

  private interface Cell {
    String of(RunResult result);
  }

  private static void row(PrintWriter out, String label, List<RunResult> results, Cell cell) {
    var line = new StringBuilder(pad(label, LABEL));
    for (RunResult result : results) {
      line.append(" ".repeat(Math.max(1, COLUMN - cell.of(result).length())))
          .append(cell.of(result));
    }
    out.println(line);
  }

  private static String pad(String text, int width) {
    return text + " ".repeat(Math.max(0, width - text.length()));
  }

  private static @Nullable RunResult of(List<RunResult> results, Variant variant) {
    return results.stream()
        .filter(r -> r.options().variant() == variant && r.destinationMicros() > 0)
        .findFirst()
        .orElse(null);
  }

  private static String ratio(@Nullable RunResult baseline, RunResult r) {
    if (baseline == null || r.destinationMicros() == 0 || r.equals(baseline)) {
      return "-";
    }
    double ratio = (double) baseline.destinationMicros() / r.destinationMicros();
    return String.format(Locale.ROOT, "%.1f", ratio);
  }

  private static Set<String> phases(List<RunResult> results) {
    Set<String> names = new LinkedHashSet<>();
    results.forEach(r -> names.addAll(r.phases().keySet()));
    return names;
  }

  private static String pages(RunResult r) {
    return r.finalRoundPages() + "/" + r.totalPages();
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.0f %%", 100 * share);
  }

  private static String millis(long micros) {
    return String.format(Locale.ROOT, "%.1f", micros / 1_000.0);
  }

  private static String inboundGap(RunResult r) {
    Long gap = r.inboundLongestGapMicros();
    return gap == null ? "-" : millis(gap);
  }

  private static void notes(PrintWriter out, RunResult r) {
    List<String> lines = new ArrayList<>();
    if (r.fallback() != null) {
      lines.add(r.fallback());
    }
    lines.addAll(r.problems());
    for (String line : lines) {
      out.printf("%n%s: %s", r.options().variant().label(), line);
    }
    if (!lines.isEmpty()) {
      out.println();
    }
  }
}
