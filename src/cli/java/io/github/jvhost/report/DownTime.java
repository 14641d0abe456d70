package io.github.jvhost.report;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * From the moment at which the guest is to pause to its going on, in the parts that moments cut it
 * into.
 *
 * @param pausingNanos when the VM was asked to pause its guest
 * @param resumedNanos when it went on
 * @param parts one after the other, without gaps
 */
record DownTime(long pausingNanos, long resumedNanos, List<Part> parts) {
  /** What ends with a moment, by that moment's name. */
  private static final List<String> ENDS =
      List.of("paused", "stopped", "final", "restored", "started", "resumed");

  private static final List<String> WORDS =
      List.of(
          "guest pauses",
          "source stops its rings",
          "last pages and final state go over",
          "destination restores the devices",
          "destination starts its back ends",
          "guest goes on");

  /**
   * A part.
   *
   * @param words what happens in it
   * @param style the class that colours it
   * @param fromNanos when it begins
   * @param toNanos when it ends
   */
  record Part(String words, String style, long fromNanos, long toNanos) {
    long nanos() {
      return toNanos - fromNanos;
    }
  }

  /** A run's; null where the guest did not arrive. */
  static @Nullable DownTime of(Run run) {
    Long pausing = run.timeLine().at("pausing");
    Long resumed = run.timeLine().at("resumed");
    if (pausing == null || resumed == null || resumed <= pausing) {
      return null;
    }
    List<Part> parts = new ArrayList<>();
    long from = pausing;
    for (int i = 0; i < ENDS.size(); i++) {
      Long to = run.timeLine().at(ENDS.get(i));
      if (to != null) {
        parts.add(new Part(WORDS.get(i), "part" + i, from, to));
        from = to;
      }
    }
    return new DownTime(pausing, resumed, parts);
  }

  /** The words and colours of all parts, for a legend. */
  static List<Part> legend() {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < ENDS.size(); i++) {
      parts.add(new Part(WORDS.get(i), "part" + i, 0, 0));
    }
    return parts;
  }

  long nanos() {
    return resumedNanos - pausingNanos;
  }
}
