package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The system calls of one window, from the output of {@code strace -f}:
 *
 * <pre>
 *   4711 newfstatat(AT_FDCWD, "/jvhost/window/begins", ...) = -1 ENOENT (...)
 *   4711 sendmsg(12, {...}) = 72
 *   4711 epoll_wait(8,  &lt;unfinished ...&gt;
 *   4712 futex(...) = 0                             another thread
 *   4711 &lt;... epoll_wait resumed&gt;[...], 64, 100) = 3
 * </pre>
 *
 * @param counts by name, those of the window's thread
 * @param emptyWaits waits of these that found nothing; a look that does not wait is none
 */
record SystemCalls(Map<String, Long> counts, long emptyWaits) {
  private static final Pattern CALL = Pattern.compile("(\\d+) +(\\w+)\\(.*");
  private static final String WAIT = "epoll_wait";
  private static final Pattern FOUND_NOTHING =
      Pattern.compile("\\d+ +(<\\.\\.\\. )?" + WAIT + "\\b.*, (?!0\\))[^,]*\\) += 0");

  SystemCalls {
    counts = Map.copyOf(counts);
  }

  /**
   * Of the window with the fewest: while the JVM compiles, it stops its threads now and then, and
   * each stop is a futex call of its own.
   *
   * @param lines of strace
   * @throws VhostException there is no whole window
   */
  static SystemCalls ofFewest(List<String> lines) {
    List<SystemCalls> windows = new ArrayList<>();
    int begins = -1;
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).contains(TracedWindows.BEGINS.toString())) {
        begins = i;
      } else if (begins >= 0 && lines.get(i).contains(TracedWindows.ENDS.toString())) {
        windows.add(of(lines, begins, i));
        begins = -1;
      }
    }
    return windows.stream()
        .min(Comparator.comparingLong(SystemCalls::withoutWaits))
        .orElseThrow(
            () -> new VhostException("strace did not see a whole window", Recovery.GIVE_UP));
  }

  private static SystemCalls of(List<String> lines, int begins, int ends) {
    String thread = lines.get(begins).split(" ", 2)[0] + " ";
    List<String> window =
        lines.subList(begins + 1, ends).stream().filter(line -> line.startsWith(thread)).toList();
    return new SystemCalls(
        window.stream()
            .map(CALL::matcher)
            .filter(Matcher::matches)
            .collect(Collectors.groupingBy(call -> call.group(2), Collectors.counting())),
        window.stream().filter(line -> FOUND_NOTHING.matcher(line).matches()).count());
  }

  /** All but the waits. */
  long withoutWaits() {
    return counts.values().stream().mapToLong(Long::longValue).sum() - waits();
  }

  long waits() {
    return counts.getOrDefault(WAIT, 0L);
  }

  /** "3 epoll_wait, 64 recvmsg, 64 sendmsg". */
  String describe() {
    return new TreeMap<>(counts)
        .entrySet().stream()
            .map(call -> call.getValue() + " " + call.getKey())
            .collect(Collectors.joining(", "));
  }
}
