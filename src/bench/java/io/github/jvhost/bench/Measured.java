package io.github.jvhost.bench;

/** What a row has found out. Immutable. */
public sealed interface Measured {
  /** For people. */
  String describe();

  /**
   * Two things were timed in the same run.
   *
   * @param ours what the row is about
   * @param reference what it is measured against
   * @param note what else there is to say; may be empty
   */
  record Timed(Times ours, Times reference, String note) implements Measured {
    @Override
    public String describe() {
      return ours.against(reference) + (note.isEmpty() ? "" : "; " + note);
    }
  }

  /**
   * Something was counted.
   *
   * @param count 0 or more
   * @param unit what was counted, in the plural
   * @param note what else there is to say; may be empty
   */
  record Counted(long count, String unit, String note) implements Measured {
    @Override
    public String describe() {
      return "%d %s".formatted(count, unit) + (note.isEmpty() ? "" : "; " + note);
    }
  }

  /**
   * Something was found out that no goal is set for.
   *
   * @param text what
   */
  record Found(String text) implements Measured {
    @Override
    public String describe() {
      return text;
    }
  }

  /**
   * This machine cannot: the row is neither held nor missed.
   *
   * @param why what it lacks
   */
  record Not(String why) implements Measured {
    @Override
    public String describe() {
      return "not measured: " + why;
    }
  }

  /**
   * It went wrong, or what was compared was not the same: the row is missed.
   *
   * @param why what went wrong
   */
  record Failed(String why) implements Measured {
    @Override
    public String describe() {
      return "failed: " + why;
    }
  }
}
