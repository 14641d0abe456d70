package io.github.jvhost.report;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Debian's chromium without a window, one process for each look at a page. */
final class Browser {
  private static final Duration PATIENCE = Duration.ofSeconds(90);
  private static final int HEIGHT = 1_000;

  private final Path program;
  private final Path directory;
  private int looks;

  /**
   * A browser.
   *
   * @param directory where it may leave things
   */
  Browser(Path program, Path directory) {
    this.program = program;
    this.directory = directory;
  }

  /** Where it is. */
  static Optional<Path> find() {
    return ChildProcess.find("chromium");
  }

  /**
   * What it made of a page.
   *
   * @param dom as HTML
   * @param console what it had to say about it
   */
  record Look(String dom, List<String> console) {}

  /** Loads a page and says what became of it. */
  Look look(Path page, int width, boolean dark) {
    return run(page, width, dark, "--dump-dom");
  }

  /** Loads a page and takes a picture of its top. */
  Path picture(Path page, int width, boolean dark) {
    Path png = directory.resolve("picture-" + looks + ".png");
    run(page, width, dark, "--screenshot=" + png);
    return png;
  }

  private Look run(Path page, int width, boolean dark, String... more) {
    Path errors = directory.resolve("errors-" + looks);
    Path profile = directory.resolve("profile-" + looks++);
    // The shell keeps what the browser complains about apart from what it prints.
    List<String> command =
        new ArrayList<>(
            List.of("/bin/sh", "-c", "exec \"$@\" 2>\"$0\"", errors.toString(), program + ""));
    command.addAll(
        List.of(
            "--headless",
            "--no-sandbox", // which root may not have
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-quic",
            "--disable-breakpad",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--enable-logging=stderr",
            "--user-data-dir=" + profile,
            "--blink-settings=preferredColorScheme=" + (dark ? 0 : 1),
            "--window-size=" + width + "," + HEIGHT));
    command.addAll(List.of(more));
    command.add(page.toUri().toString());
    try (var chromium = ChildProcess.leashed("chromium", command, Map.of())) {
      assertThat(chromium.awaitExit(Deadline.after(PATIENCE))).as("ends in time").isTrue();
      chromium.awaitOutput();
      String complaints = Files.readString(errors, ISO_8859_1);
      assertThat(chromium.exitValue()).as(complaints).isZero();
      String dom = new String(chromium.transcript().text().getBytes(ISO_8859_1), UTF_8);
      return new Look(dom, complaints.lines().filter(l -> l.contains(":CONSOLE")).toList());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
