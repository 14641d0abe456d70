package io.github.jvhost.bench;

import java.util.List;
import java.util.Locale;

/**
 * Draws rows as SVG: how long ours took, the reference being 1, on a logarithmic scale, and where
 * the goal is. It stands alone, and follows the reader's light or dark scheme.
 *
 * <pre>
 *   name of the row                              1.12 times, goal &lt;= 1.30 times: holds
 *                             |======o  :        bar: medians, o: 99th percentiles, : the goal
 *        0.1                  1                  10
 *        faster than the reference | slower
 * </pre>
 */
public final class RatioPicture {
  private static final int WIDTH = 900;
  private static final int MARGIN = 20;
  private static final int TOP = 84;
  private static final int ROW = 42;
  private static final int BOTTOM = 34;
  private static final int BAR = 10;

  private static final String STYLE =
      """
      <style>
        .page { fill: #ffffff } .dot { stroke: #ffffff; stroke-width: 2 } .text { fill: #1f2328 } .quiet { fill: #59636e }
        .grid { stroke: #d1d9e0 } .one { stroke: #59636e } .goal { stroke: #1f2328 }
        .holds { fill: #1a7f37 } .missed { fill: #cf222e } .open { fill: #818b98 }
        text { font: 12px sans-serif } .title { font-size: 16px; font-weight: bold }
        @media (prefers-color-scheme: dark) {
          .page { fill: #0d1117 } .dot { stroke: #0d1117 } .text { fill: #f0f6fc } .quiet { fill: #9198a1 }
          .grid { stroke: #3d444d } .one { stroke: #9198a1 } .goal { stroke: #f0f6fc }
          .holds { fill: #3fb950 } .missed { fill: #f85149 } .open { fill: #656c76 }
        }
      </style>
      """;

  private final StringBuilder svg = new StringBuilder();
  private final int height;

  /** The powers of ten at both ends of the scale. */
  private final int least;

  private final int most;

  private RatioPicture(List<BenchRow> rows) {
    height = TOP + ROW * rows.size() + BOTTOM;
    double low = 0.1;
    double high = 10;
    for (BenchRow row : rows) {
      if (row.measured() instanceof Measured.Timed(Times ours, Times reference, _)) {
        for (double x : new double[] {median(ours, reference), tail(ours, reference)}) {
          low = Math.min(low, x);
          high = Math.max(high, x);
        }
      }
    }
    least = (int) Math.floor(Math.log10(low));
    most = (int) Math.ceil(Math.log10(high));
  }

  /** The picture of these rows, as an XML document. */
  public static String of(List<BenchRow> rows) {
    var picture = new RatioPicture(rows);
    picture.frame();
    for (int i = 0; i < rows.size(); i++) {
      picture.row(rows.get(i), TOP + ROW * i);
    }
    return picture.svg.append("</svg>\n").toString();
  }

  private static double median(Times ours, Times reference) {
    return (double) ours.p50() / reference.p50();
  }

  private static double tail(Times ours, Times reference) {
    return (double) ours.p99() / reference.p99();
  }

  private void frame() {
    put(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d"
                + " %d\">",
            WIDTH,
            height,
            WIDTH,
            height));
    svg.append(STYLE);
    put(
        String.format(
            Locale.ROOT, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>", WIDTH, height));
    text(MARGIN, 28, "title text", "start", "jvhost: time taken, the reference being 1");
    text(
        MARGIN,
        48,
        "quiet",
        "start",
        "bar: medians · dot: 99th percentiles · dashed: the goal · logarithmic scale");
    text(x(1) - 8, 68, "quiet", "end", "faster than the reference");
    text(x(1) + 8, 68, "quiet", "start", "slower");
    for (int power = least; power <= most; power++) {
      double at = Math.pow(10, power);
      line(power == 0 ? "one" : "grid", x(at), TOP - 8, height - BOTTOM, "");
      String label =
          power < 0 ? String.format(Locale.ROOT, "%." + -power + "f", at) : "" + (long) at;
      text(x(at), height - BOTTOM + 18, "quiet", "middle", label);
    }
  }

  private void row(BenchRow row, int top) {
    text(MARGIN, top + 12, "text", "start", row.name());
    text(WIDTH - MARGIN, top + 12, "quiet", "end", said(row));
    if (!(row.measured() instanceof Measured.Timed(Times ours, Times reference, _))) {
      return;
    }
    int y = top + 20;
    double end = x(median(ours, reference));
    String color = color(row);
    put(
        String.format(
            Locale.ROOT,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
            color,
            Math.min(x(1), end),
            y,
            Math.max(1, Math.abs(end - x(1))),
            BAR));
    put(
        String.format(
            Locale.ROOT,
            "<circle class=\"%s dot\" cx=\"%.1f\" cy=\"%d\" r=\"5\"/>",
            color,
            x(tail(ours, reference)),
            y + BAR / 2));
    double goal =
        switch (row.goal()) {
          case Goal.Within(double times, _) -> times;
          case Goal.Flat(double times) -> times;
          case Goal.Shorter(double times) -> 1 / times;
          case Goal.NoMore _, Goal.Known _ -> 0;
        };
    if (goal > 0) {
      line("goal", x(goal), y - 4, y + BAR + 4, " stroke-width=\"2\" stroke-dasharray=\"3 2\"");
    }
  }

  private static String said(BenchRow row) {
    String what = row.measured().describe();
    if (row.ratio().isPresent()) {
      what =
          String.format(
              Locale.ROOT,
              row.goal() instanceof Goal.Shorter ? "%.2f times shorter" : "%.2f times",
              row.ratio().getAsDouble());
    }
    return switch (row.verdict()) {
      case HOLDS -> what + ", goal " + row.goal().describe() + ": holds";
      case MISSED -> what + ", goal " + row.goal().describe() + ": missed";
      case OPEN -> what;
    };
  }

  private static String color(BenchRow row) {
    return switch (row.verdict()) {
      case HOLDS -> "holds";
      case MISSED -> "missed";
      case OPEN -> "open";
    };
  }

  private double x(double ratio) {
    double share = (Math.log10(ratio) - least) / (most - least);
    return MARGIN + share * (WIDTH - 2 * MARGIN);
  }

  private void line(String kind, double x, int from, int to, String more) {
    put(
        String.format(
            Locale.ROOT,
            "<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"%s/>",
            kind,
            x,
            from,
            x,
            to,
            more));
  }

  private void text(double x, int y, String kind, String anchor, String words) {
    put(
        String.format(
            Locale.ROOT,
            "<text class=\"%s\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>",
            kind,
            x,
            y,
            anchor,
            escaped(words)));
  }

  private static String escaped(String words) {
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  private void put(String element) {
    svg.append(element).append('\n');
  }
}
