package io.github.jvhost.report;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Draws messages on a time line, with a lane for each back end. All x are shares of the width and
 * all y are pixels, so that a narrow page has narrow lanes and text of the usual size.
 *
 * <pre>
 *   |=part=|===part===|=====part=====|     what the time is spent on
 *   source net0              3 messages
 *       #
 *      ##   #                              messages that come at about the same time are piled up
 *   -------------------------------------
 *      //////                              work (modelled)
 *   0        20        40        60        ticks
 * </pre>
 */
final class Chart {
  /**
   * The number of piles in a lane. Messages within the same share of the time are drawn on top of
   * each other.
   */
  private static final int PILES = 100;

  private static final int PILE_HEIGHT = 84;
  private static final int LEAST_PILE = 14;
  private static final double BLOCK = 7;
  private static final int LABEL = 20;
  private static final int WORK = 6;
  private static final int GAP = 12;
  private static final int PART = 12;
  private static final int AXIS = 36;
  private static final int LONGEST_LABEL = 26;

  /**
   * How near to a side a tick's number begins or ends at its tick, as a share of the width in
   * percent. On a page of 400 pixels, a number of ten digits fits beside a tick that is farther
   * away.
   */
  private static final int EDGE = 10;

  private static final double NANOS_PER_MILLI = 1e6;

  private final Html html;
  private final List<Run.Lane> lanes;
  private final long from;
  private final long to;
  private final long zero;
  private List<DownTime.Part> parts = List.of();
  private String mark = "";
  private long markAt;

  /**
   * Creates a chart of a time span.
   *
   * @param from its begin, nanoseconds
   * @param to its end; later
   * @param zero the moment from which the axis counts
   */
  Chart(Html html, List<Run.Lane> lanes, long from, long to, long zero) {
    this.html = html;
    this.lanes = lanes;
    this.from = from;
    this.to = Math.max(to, from + 1);
    this.zero = zero;
  }

  /** Sets the parts of the time that are shown at the top. */
  void parts(List<DownTime.Part> newParts) {
    parts = newParts;
  }

  /** Marks a moment with a word. */
  void mark(long at, String word) {
    markAt = at;
    mark = word;
  }

  private record Placed(Run.Lane lane, List<Block> blocks, int tallest) {
    /**
     * Returns a smaller height of blocks for a tall pile, so that a lane does not become too high.
     */
    double blockHeight() {
      return Math.clamp((double) PILE_HEIGHT / Math.max(1, tallest), 1.5, BLOCK);
    }

    int pileHeight() {
      return (int) Math.max(LEAST_PILE, Math.ceil(tallest * blockHeight()));
    }
  }

  private record Block(Run.Message message, int pile, int level) {}

  /**
   * Writes the chart.
   *
   * @param title what it shows
   * @param unit the unit of the axis
   */
  void write(String title, String unit) {
    List<Placed> placed = lanes.stream().map(this::place).toList();
    int top = parts.isEmpty() && mark.isEmpty() ? 0 : PART + GAP;
    int bottom = top;
    for (Placed lane : placed) {
      bottom += LABEL + lane.pileHeight() + WORK + GAP;
    }
    html.open(
        "svg",
        "class",
        "chart",
        "height",
        bottom + AXIS,
        "role",
        "img",
        "aria-label",
        said(title, placed));
    ticks(bottom, unit);
    for (DownTime.Part part : parts) {
      html.open(
          "rect",
          "class",
          part.style(),
          "x",
          share(part.fromNanos()),
          "width",
          width(part.nanos()),
          "height",
          PART);
      html.element("title", part.words() + ": " + Figures.nanosAsMillis(part.nanos())).close();
    }
    if (!mark.isEmpty() && markAt >= from && markAt <= to) {
      html.lone(
          "line",
          "class",
          "mark",
          "x1",
          share(markAt),
          "x2",
          share(markAt),
          "y1",
          PART + 2,
          "y2",
          bottom);
      text(
          share(markAt),
          PART - 2,
          x(markAt) > 50 ? "end" : x(markAt) < 15 ? "start" : "middle",
          "quiet",
          mark);
    }
    int y = top;
    for (Placed lane : placed) {
      lane(lane, y);
      y += LABEL + lane.pileHeight() + WORK + GAP;
    }
    html.close();
  }

  private Placed place(Run.Lane lane) {
    var levels = new int[PILES];
    int tallest = 0;
    List<Block> blocks = new ArrayList<>();
    for (Run.Message message : lane.messages()) {
      if (message.within(from, to)) {
        int pile = (int) Math.min(PILES - 1, x(message.nanos()) * PILES / 100);
        blocks.add(new Block(message, pile, levels[pile]++));
        tallest = Math.max(tallest, levels[pile]);
      }
    }
    return new Placed(lane, blocks, tallest);
  }

  private String said(String title, List<Placed> placed) {
    var words = new StringBuilder(title + ", " + Figures.nanosAsMillis(to - from));
    for (Placed lane : placed) {
      words
          .append("; ")
          .append(lane.lane.name())
          .append(' ')
          .append(Figures.counted(lane.blocks.size(), "message"));
    }
    return words.append(". The table of every message has them all.").toString();
  }

  private void lane(Placed lane, int y) {
    text("0", y + LABEL - 6, "start", "name", shortened(lane.lane.name()));
    text("100%", y + LABEL - 6, "end", "quiet", Figures.counted(lane.blocks.size(), "message"));
    int base = y + LABEL + lane.pileHeight();
    double height = lane.blockHeight();
    for (Block block : lane.blocks) {
      html.open(
          "rect",
          "class",
          block.message.answered() ? "asked" : "told",
          "x",
          percent(100.0 * block.pile / PILES),
          "y",
          base - (block.level + 1) * height,
          "width",
          percent(80.0 / PILES),
          "height",
          height > 3 ? height - 1 : height * 0.75);
      html.element("title", described(block.message)).close();
    }
    html.lone("line", "class", "base", "x1", 0, "x2", "100%", "y1", base + 0.5, "y2", base + 0.5);
    for (Run.Work work : lane.lane.work()) {
      long begin = Math.max(from, work.nanos());
      long end = Math.min(to, work.nanos() + work.micros() * 1_000);
      if (begin < end) {
        html.open(
            "rect",
            "class",
            "work",
            "x",
            share(begin),
            "width",
            width(end - begin),
            "y",
            base + 2,
            "height",
            WORK);
        html.element("title", work.what() + ": " + Figures.millis(work.micros())).close();
      }
    }
  }

  private String described(Run.Message m) {
    double millis = (m.nanos() - zero) / NANOS_PER_MILLI;
    return String.format(Locale.ROOT, "%.3f ms  %s %s", millis, m.name(), m.payload()).strip();
  }

  private static String shortened(String name) {
    return name.codePointCount(0, name.length()) <= LONGEST_LABEL
        ? name
        : name.substring(0, name.offsetByCodePoints(0, LONGEST_LABEL - 1)) + "\u2026";
  }

  // ---- the axis ----

  private void ticks(int bottom, String unit) {
    double span = (to - from) / NANOS_PER_MILLI;
    BigDecimal step = step(span);
    double first = (from - zero) / NANOS_PER_MILLI;
    long index = (long) Math.ceil(first / step.doubleValue() - 1e-9);
    for (; ; index++) {
      BigDecimal value = step.multiply(BigDecimal.valueOf(index));
      double at = (value.doubleValue() - first) / span * 100;
      if (at > 100 + 1e-6) {
        break;
      }
      html.lone(
          "line", "class", "grid", "x1", percent(at), "x2", percent(at), "y1", 0, "y2", bottom);
      String label =
          value.signum() == 0
              ? "0"
              : value.stripTrailingZeros().toPlainString().replace('-', '\u2212');
      String anchor = at < EDGE ? "start" : at > 100 - EDGE ? "end" : "middle";
      text(percent(at), bottom + 14, anchor, "quiet", label);
    }
    text("100%", bottom + 30, "end", "quiet", unit);
  }

  /**
   * Returns the distance of ticks: the smallest 1, 2 or 5 times a power of ten that gives at most
   * five.
   */
  private static BigDecimal step(double span) {
    int power = (int) Math.floor(Math.log10(span)) - 1;
    while (true) {
      for (int digit : new int[] {1, 2, 5}) {
        BigDecimal step = BigDecimal.valueOf(digit).scaleByPowerOfTen(power);
        if (span / step.doubleValue() <= 5) {
          return step;
        }
      }
      power++;
    }
  }

  private double x(long nanos) {
    return 100.0 * (nanos - from) / (to - from);
  }

  private String share(long nanos) {
    return percent(Math.clamp(x(nanos), 0, 100));
  }

  private String width(long nanos) {
    return percent(100.0 * nanos / (to - from));
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.3f%%", share);
  }

  private void text(String x, int y, String anchor, String style, String words) {
    html.element("text", words, "class", style, "x", x, "y", y, "text-anchor", anchor);
  }
}
