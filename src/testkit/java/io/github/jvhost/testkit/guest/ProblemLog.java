package io.github.jvhost.testkit.guest;

import java.util.ArrayList;
import java.util.List;

/** The first hundred problems, one line each. Thread-safe. */
final class ProblemLog {
  private static final int MOST = 100;

  private final List<String> lines = new ArrayList<>();

  synchronized void add(String line) {
    if (lines.size() < MOST) {
      lines.add(line);
    }
  }

  synchronized List<String> lines() {
    return List.copyOf(lines);
  }
}
