package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import java.util.ArrayList;
import java.util.List;

/** The names of protocol features, and the layout of feature names in lines. */
final class FeatureWords {
  private static final int WIDTH = 90;

  private FeatureWords() {}

  /** Returns the names of protocol features. */
  static List<String> protocolNames(long bits, Dialect dialect) {
    List<String> names = new ArrayList<>();
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((bits >>> bit & 1) != 0) {
        names.add(dialect.describe(1L << bit));
      }
    }
    return names;
  }

  /** Joins names into lines of limited length. */
  static List<String> lines(List<String> names) {
    if (names.isEmpty()) {
      return List.of("none");
    }
    List<String> lines = new ArrayList<>();
    var line = new StringBuilder();
    for (String name : names) {
      if (!line.isEmpty() && line.length() + name.length() + 1 > WIDTH) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.isEmpty() ? "" : " ").append(name);
    }
    lines.add(line.toString());
    return lines;
  }
}
