package io.github.jvhost.report;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The time from the request to pause the guest until it runs again, divided into parts by the
 * moments in between.
 *
 * @param pausingNanos when the VM was asked to pause its guest
 * @param resumedNanos when the guest ran again
 * @param parts one after the other, without gaps
 */
record DownTime(long pausingNanos, long resumedNanos, List<Part> parts) {
  /** The moments that end the parts, by name. */
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

  /** Returns the downtime of a run, or null if the guest did not arrive. */
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

  /** Returns the words and colours of all parts, for a legend. */
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
