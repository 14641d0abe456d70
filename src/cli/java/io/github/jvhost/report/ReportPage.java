package io.github.jvhost.report;

import static java.util.stream.Collectors.joining;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Consumer;

/** Makes the page of a report. Stateless. */
public final class ReportPage {
  /**
   * The page loads nothing and runs no script, so that a script from a file would not run either.
   */
  private static final String POLICY =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

  private ReportPage() {}

  /**
   * Makes the page from the output of {@code jvhost demo --json}.
   *
   * @param name the text's name, for messages
   * @param json the text; it stays the caller's
   * @return an HTML document that needs no other file
   * @throws VhostException (GIVE_UP) when the text is something else; the message is one line,
   *     begins with the name, and says what is wrong at which place
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

  /**
   * Makes the page from a flight recording.
   *
   * @param file of less than 2 GiB, which nobody changes meanwhile; it stays the caller's
   * @return an HTML document that needs no other file
   * @throws VhostException (GIVE_UP) when it is no recording, is broken or has nothing of jvhost in
   *     it; the message is one line and says what to do
   */
  public static String ofRecording(Path file) {
    Recording recording = RecordingReader.read(file);
    return page("What back ends were told", html -> RecordingPart.write(html, recording));
  }

  private static String page(List<Run> runs) {
    return page(
        "What a migration costs",
        html -> {
          html.element("p", setting(runs), "class", "quiet");
          Overview.write(html, runs);
          for (int i = 0; i < runs.size(); i++) {
            run(html, runs.get(i), i);
          }
          FactsTable.write(html, runs);
          html.element(
              "footer",
              "Made by jvhost. Times are measured on the machine that ran it, but for what is"
                  + " called modelled.");
        });
  }

  private static String page(String title, Consumer<Html> content) {
    var html = new Html();
    html.raw("<!DOCTYPE html>\n");
    html.open("html", "lang", "en");
    html.open("head").lone("meta", "charset", "utf-8");
    html.lone("meta", "http-equiv", "Content-Security-Policy", "content", POLICY);
    html.lone("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
    html.lone("meta", "name", "color-scheme", "content", "light dark");
    html.element(
        "title", "jvhost: " + title.substring(0, 1).toLowerCase(Locale.ROOT) + title.substring(1));
    html.raw("<style>\n" + Style.SHEET + "</style>\n").close();
    html.open("body").open("main");
    html.element("h1", title);
    content.accept(html);
    html.close().close().close();
    return html.toString();
  }

  private static String setting(List<Run> runs) {
    Run.Setting s = runs.getFirst().setting();
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
    String personalities =
        runs.stream()
            .map(run -> run.setting().personality())
            .filter(Objects::nonNull)
            .distinct()
            .collect(joining(", "));
    if (!personalities.isEmpty()) {
      words.append(" (").append(personalities).append(")");
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

  /** Returns the description of a way of presetup; "" if its name is unknown. */
  private static String way(String presetup) {
    return switch (presetup) {
      case "off" -> "no presetup; QEMU's order, QEMU's waits, device after device";
      case "off-pipelined" -> "no presetup, but pipelined and side by side";
      case "explicit" -> "presetup with VHOST_USER_PRESETUP";
      case "implicit" -> "presetup at a back end that does not know that message";
      case "implicit-dpdk" -> "the same, with what is known of DPDK";
      default -> "";
    };
  }
}
