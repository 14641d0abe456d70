package io.github.jvhost.report;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Finds the answer to each message of a recording, in which they are events of their own. */
final class RecordedLane {
  /** Is sent once on each connection: what was not answered before it will not be. */
  private static final String FIRST_WORDS = "SET_OWNER";

  private static final double NANOS_PER_MILLI = 1e6;
  private static final long NOT_ANSWERED = -1;

  private record Asked(String request, boolean needReply) {}

  private RecordedLane() {}

  /**
   * Makes the lane of a device.
   *
   * @param told in order of time
   */
  static Run.Lane of(String device, List<RecordingReader.Told> told) {
    List<RecordingReader.Told> sent = new ArrayList<>();
    List<Long> after = new ArrayList<>(); // nanoseconds until the answer
    Map<Asked, Deque<Integer>> waiting = new HashMap<>();
    for (RecordingReader.Told one : told) {
      if (one.sent() && !one.reply()) {
        if (one.request().equals(FIRST_WORDS)) {
          waiting.clear();
        }
        waiting
            .computeIfAbsent(new Asked(one.request(), one.needReply()), _ -> new ArrayDeque<>())
            .add(sent.size());
        sent.add(one);
        after.add(NOT_ANSWERED);
      } else if (one.reply() && !one.sent()) {
        Integer index = first(waiting, one.request());
        if (index != null) {
          after.set(index, one.nanos() - sent.get(index).nanos());
        }
      }
    }
    List<Run.Message> messages = new ArrayList<>();
    List<Run.Work> waits = new ArrayList<>();
    for (int i = 0; i < sent.size(); i++) {
      RecordingReader.Told one = sent.get(i);
      boolean answered = after.get(i) != NOT_ANSWERED;
      messages.add(
          new Run.Message(
              one.nanos(),
              one.request(),
              said(one.bytes(), after.get(i)),
              answered,
              one.descriptors(),
              0));
      if (answered) {
        waits.add(
            new Run.Work(
                one.nanos(), after.get(i) / 1_000, "until " + one.request() + " was answered"));
      }
    }
    return new Run.Lane("back end of", device, messages, waits);
  }

  /**
   * Takes the message that an answer belongs to, or null if it is not here. Where an answer was
   * asked for, it is to such a message.
   */
  private static @Nullable Integer first(Map<Asked, Deque<Integer>> waiting, String request) {
    for (boolean needReply : new boolean[] {true, false}) {
      Deque<Integer> asked = waiting.get(new Asked(request, needReply));
      if (asked != null && !asked.isEmpty()) {
        return asked.remove();
      }
    }
    return null;
  }

  private static String said(int bytes, long after) {
    return after == NOT_ANSWERED
        ? bytes + " bytes"
        : String.format(
            Locale.ROOT, "%d bytes, answered after %.3f ms", bytes, after / NANOS_PER_MILLI);
  }
}
