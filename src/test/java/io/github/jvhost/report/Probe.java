package io.github.jvhost.report;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What probe.js found in a page: lines of fields, the first of which says what the others are.
 *
 * @param lines all of them
 */
record Probe(List<List<String>> lines) {

  /**
   * Makes a copy of a page with the probe in it; the page's policy would not let it run. The page
   * is in a frame of the width that is asked for: a browser's window cannot be made that narrow.
   */
  static Path into(String page, int width, Path copy) throws IOException {
    String open = page.replaceFirst("<meta http-equiv=[^>]*>", "");
    String script;
    try (InputStream probe =
        Objects.requireNonNull(Probe.class.getResourceAsStream("/report/probe.js"))) {
      script = new String(probe.readAllBytes(), StandardCharsets.UTF_8);
    }
    String probed = open.replace("</body>", "<script>" + script + "</script></body>");
    String quoted = probed.replace("&", "&amp;").replace("\"", "&quot;");
    // As high as anything, so that no bar for scrolling takes width.
    return Files.writeString(
        copy,
        """
        <!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
        <body style="margin: 0"><iframe style="border: 0" width="%d" height="50000" srcdoc="%s">
        </iframe></body>
        """
            .formatted(width, quoted));
  }

  static Probe of(String dom) {
    String text = dom.substring(dom.indexOf("<pre id=\"probe\">") + 16, dom.lastIndexOf("</pre>"));
    return new Probe(text.lines().map(line -> Arrays.asList(plain(line).split("\t", -1))).toList());
  }

  private static String plain(String html) {
    return html.replace("&nbsp;", " ")
        .replace("\u00a0", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
  }

  /** The other fields of all lines of a kind. */
  List<List<String>> of(Kind kind) {
    return all(kind).toList();
  }

  /** The other fields of the one line of a kind. */
  List<String> one(Kind kind) {
    return all(kind).findFirst().orElseThrow();
  }

  private Stream<List<String>> all(Kind kind) {
    return lines.stream()
        .filter(line -> line.getFirst().equals(kind.name().toLowerCase(java.util.Locale.ROOT)))
        .map(line -> line.subList(1, line.size()));
  }

  /** What a line is about. */
  enum Kind {
    WIDTH,
    PAGE,
    DATA,
    MESSAGE,
    STEP,
    CHART,
    CLASH,
    CONTRAST,
    UNFOLDED,
    ALTERNATIVE
  }
}
