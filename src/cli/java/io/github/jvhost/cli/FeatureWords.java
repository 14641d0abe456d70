package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;

/** The names of feature bits in the answers to GET_FEATURES and GET_PROTOCOL_FEATURES. */
final class FeatureWords {
  private static final int WIDTH = 90;

  /**
   * The first common bit. Bits 0 to 23 and from 50 on have another meaning for each kind of device
   * (virtio 1.2, 2.2).
   */
  private static final int FIRST_COMMON = 24;

  private static final int LAST_COMMON = 49;

  private FeatureWords() {}

  /**
   * Returns the names of virtio feature bits.
   *
   * @param net true for a network device; otherwise device-specific bits stay numbers
   */
  static List<String> names(long bits, boolean net) {
    List<String> names = new ArrayList<>();
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((bits >>> bit & 1) != 0) {
        names.add(name(bit, net));
      }
    }
    return names;
  }

  private static String name(int bit, boolean net) {
    long mask = 1L << bit;
    if (mask == VhostFeature.LOG_ALL) {
      return "LOG_ALL";
    }
    if (mask == VhostFeature.PROTOCOL_FEATURES) {
      return "PROTOCOL_FEATURES";
    }
    boolean common = bit >= FIRST_COMMON && bit <= LAST_COMMON;
    return net || common ? NetFeature.describe(mask) : "bit " + bit;
  }

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
