package io.github.jvhost.cli;

import io.github.jvhost.testkit.trace.Capture;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureEvent;
import io.github.jvhost.testkit.trace.CapturedMessage;
import io.github.jvhost.testkit.trace.SessionPhase;
import io.github.jvhost.testkit.trace.TracedSession;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The filter for the messages that `trace` shows.
 *
 * @param names the names or numbers of requests; empty for all
 * @param direction one of {@link #DIRECTIONS}; null for all
 * @param phase the phase; null for all
 * @param least the first moment, in nanoseconds since the capture began
 * @param most the last moment, in nanoseconds since the capture began
 */
record TraceFilter(
    List<String> names,
    @Nullable String direction,
    @Nullable SessionPhase phase,
    long least,
    long most) {
  /**
   * The words for directions. The channel has one word for both directions, because it has few
   * messages.
   */
  static final List<String> DIRECTIONS = List.of("to-back-end", "to-front-end", "channel");

  TraceFilter {
    names = List.copyOf(names);
  }

  /** Returns the entries of these sessions that pass the filter, in the capture's order. */
  List<CaptureEntry> shown(Capture capture, List<TracedSession> sessions) {
    Map<Integer, Iterator<SessionPhase>> phases = new HashMap<>();
    sessions.forEach(each -> phases.put(each.session(), each.phases().iterator()));
    List<CaptureEntry> shown = new ArrayList<>();
    for (CaptureEntry entry : capture.entries()) {
      Iterator<SessionPhase> next = phases.get(entry.session());
      if (next == null) {
        continue;
      }
      boolean wanted =
          switch (entry) {
            case CaptureEvent _ -> wantsAll();
            case CapturedMessage message -> wants(message, next.next());
          };
      if (wanted && entry.nanos() >= least && entry.nanos() <= most) {
        shown.add(entry);
      }
    }
    return shown;
  }

  private boolean wantsAll() {
    return names.isEmpty() && direction == null && phase == null;
  }

  private boolean wants(CapturedMessage message, SessionPhase in) {
    return (names.isEmpty() || isNamed(message))
        && (direction == null || direction.equals(direction(message)))
        && (phase == null || phase == in);
  }

  private boolean isNamed(CapturedMessage message) {
    return names.contains(message.name())
        || (!message.raw() && names.contains(Integer.toUnsignedString(message.id())));
  }

  private static String direction(CapturedMessage message) {
    return switch (message.route()) {
      case TO_BACK_END -> "to-back-end";
      case TO_FRONT_END -> "to-front-end";
      case ASKED, ANSWERED -> "channel";
    };
  }
}
