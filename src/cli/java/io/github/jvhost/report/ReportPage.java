package io.github.jvhost.report;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.io.Reader;
import java.util.List;
import java.util.Locale;

/** The page. Stateless. */
public final class ReportPage {
  /** Nothing from anywhere else, and no script: what a file smuggled in would not run. */
  private static final String POLICY =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

  private ReportPage() {}

  /**
   * Makes the page of what {@code jvhost demo --json} printed.
   *
   * @param name what the text is called, for messages
   * @param json the text; stays the caller's
   * @return an HTML document that stands alone
   * @throws VhostException (GIVE_UP) it is something else; the message is one line, begins with the
   *     name, and says what is wrong where
   */
  public static String of(String name, Reader json) {
    try {
      return page(RunReader.runs(Json.read(json)));
    } catch (JsonProcessingException e) {
      JsonLocation at = e.getLocation();
      String where =
          at == null ? "" : " at line %d, column %d".formatted(at.getLineNr(), at.getColumnNr());
      String what = String.valueOf(e.getOriginalMessage()).replaceAll("\\s+", " ");
      throw new VhostException(
          "%s is no JSON%s: %s".formatted(name, where, what), Recovery.GIVE_UP, e);
    } catch (IOException e) {
      throw new VhostException(name + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    } catch (VhostException e) {
      throw new VhostException(
          "%s is not what 'jvhost demo --json' prints: %s".formatted(name, e.getMessage()),
          Recovery.GIVE_UP,
          e);
    }
  }

  private static String page(List<Run> runs) {
    var html = new Html();
    html.raw("<!DOCTYPE html>\n");
    html.open("html", "lang", "en");
    html.open("head").lone("meta", "charset", "utf-8");
    html.lone("meta", "http-equiv", "Content-Security-Policy", "content", POLICY);
    html.lone("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
    html.lone("meta", "name", "color-scheme", "content", "light dark");
    html.element("title", "jvhost: what a migration costs");
    html.raw("<style>\n" + Style.SHEET + "</style>\n").close();
    html.open("body").open("main");
    html.element("h1", "What a migration costs");
    html.element("p", setting(runs.getFirst().setting()), "class", "quiet");
    Overview.write(html, runs);
    for (int i = 0; i < runs.size(); i++) {
      run(html, runs.get(i), i);
    }
    FactsTable.write(html, runs);
    html.element(
        "footer",
        "Made by jvhost. Times are measured on the machine that ran it, but for what is called"
            + " modelled.");
    html.close().close().close();
    return html.toString();
  }

  private static String setting(Run.Setting s) {
    var words =
        new StringBuilder(
            String.format(
                Locale.ROOT,
                "A running guest with %d NIC%s of %d queue pair%s and %d MiB of memory. Back end:"
                    + " %s",
                s.devices(),
                s.devices() == 1 ? "" : "s",
                s.queuePairs(),
                s.queuePairs() == 1 ? "" : "s",
                s.memoryBytes() >> 20,
                s.backEnd()));
    if (s.personality() != null) {
      words.append(" (").append(s.personality()).append(")");
    }
    if (s.hardwareModel() != null) {
      words.append(", hardware: ").append(s.hardwareModel());
    }
    words.append('.');
    if (!s.change().equals("none")) {
      words.append(" On the way the guest changed: ").append(s.change()).append('.');
    }
    if (!s.fail().equals("none")) {
      words.append(" What went wrong, as asked: ").append(s.fail()).append('.');
    }
    return words.toString();
  }

  private static void run(Html html, Run run, int index) {
    String id = "run-" + index;
    html.open("section", "aria-labelledby", id);
    html.open("h2", "id", id).text(run.presetup());
    String way = way(run.presetup());
    if (!way.isEmpty()) {
      html.text(" ").element("span", way, "class", "quiet");
    }
    html.close();
    if (run.fallback() != null) {
      html.element("p", "Not done as asked: " + run.fallback(), "class", "note");
    }
    for (String problem : run.problems()) {
      html.element("p", "The guest saw a problem: " + problem, "class", "note");
    }
    TimeLinePart.write(html, run);
    ReportTables.plan(html, run);
    ReportTables.messages(html, run);
    html.close();
  }

  /** What is known by this name; "" for what is not. */
  private static String way(String presetup) {
    return switch (presetup) {
      case "off" -> "nothing early; QEMU's order, QEMU's waits, device after device";
      case "off-pipelined" -> "nothing early, but pipelined and side by side";
      case "explicit" -> "set up early with VHOST_USER_PRESETUP";
      case "implicit" -> "set up early, at a back end that knows nothing of it";
      case "implicit-dpdk" -> "set up early, with what is known of DPDK";
      default -> "";
    };
  }
}
