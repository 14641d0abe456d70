package io.github.jvhost.bench;

import java.util.Locale;

/** The goal of a row. Immutable. */
public sealed interface Goal {
  /** For people: "&lt;= 1.3 times, p50 and p99". */
  String describe();

  /**
   * Ours takes at most so many times what the reference takes.
   *
   * @param times above 0
   * @param tail whether that is so of the 99th percentiles as well as of the medians
   */
  record Within(double times, boolean tail) implements Goal {
    @Override
    public String describe() {
      return String.format(Locale.ROOT, "<= %.2f times", times) + (tail ? ", p50 and p99" : "");
    }
  }

  /**
   * Ours takes the reference's time divided by so much, or less, by the medians.
   *
   * @param times above 0
   */
  record Shorter(double times) implements Goal {
    @Override
    public String describe() {
      return String.format(Locale.ROOT, ">= %.0f times shorter", times);
    }
  }

  /**
   * Ours is the reference with more to do, and takes as long, by the medians.
   *
   * @param times what still counts as the same, above 1
   */
  record Flat(double times) implements Goal {
    @Override
    public String describe() {
      return String.format(Locale.ROOT, "flat (<= %.2f times)", times);
    }
  }

  /**
   * Of something that is counted there is no more than so much.
   *
   * @param most 0 or more
   * @param unit what is counted, in the plural
   */
  record NoMore(long most, String unit) implements Goal {
    @Override
    public String describe() {
      return "<= %d %s".formatted(most, unit);
    }
  }

  /** No goal: the row is for information. */
  record Known() implements Goal {
    @Override
    public String describe() {
      return "to be known";
    }
  }
}
