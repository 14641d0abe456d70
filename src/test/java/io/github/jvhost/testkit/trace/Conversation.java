package io.github.jvhost.testkit.trace;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a front end says in one session, without what differs from run to run: addresses, features
 * (they depend on the offer), where a ring had got to.
 */
final class Conversation {
  private static final Pattern RING = Pattern.compile("\\bvq=(\\d+)");

  private Conversation() {}

  /**
   * What DPDK's virtio-user says with two queue pairs, started and stopped, {@link #ringByRing}.
   */
  static List<String> virtioUser() {
    try (InputStream in =
        Conversation.class.getResourceAsStream("/traces/virtio-user-2-pairs.txt")) {
      return ringByRing(
          new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8)
              .lines()
              .filter(line -> !line.startsWith("#"))
              .toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The same messages with each stretch that is about rings in the order of the rings. DPDK 22.11
   * goes through all receive rings and then through all transmit rings, newer releases go by
   * number. What one ring is told, and what stands between two stretches, keeps its order.
   *
   * @param lines messages as {@link #common} has them
   */
  static List<String> ringByRing(List<String> lines) {
    List<String> ordered = new ArrayList<>();
    List<String> stretch = new ArrayList<>();
    for (String line : lines) {
      if (ringOf(line) < 0) {
        take(stretch, ordered);
        ordered.add(line);
      } else {
        stretch.add(line);
      }
    }
    take(stretch, ordered);
    return ordered;
  }

  private static void take(List<String> stretch, List<String> ordered) {
    stretch.sort(Comparator.comparingInt(Conversation::ringOf)); // stable
    ordered.addAll(stretch);
    stretch.clear();
  }

  /** The number of the ring that a message is about, or -1. */
  private static int ringOf(String line) {
    Matcher ring = RING.matcher(line);
    return ring.find() ? Integer.parseInt(ring.group(1)) : -1;
  }

  /**
   * One message without what differs.
   *
   * @param text name, flags, size, descriptors, payload; with or without an arrow in front
   * @param packed whether its rings are packed: then they begin with the wrap counter set
   */
  static String common(String text, boolean packed) {
    String line = text.replaceFirst("^-> ", "").replaceAll("\\s+", " ").strip();
    line = line.replaceAll("\\b(desc|used|avail|gpa|uva)=0x[0-9a-f]+", "$1=*");
    if (line.startsWith("SET_FEATURES ")) {
      return line.replaceAll("\\bu64=0x[0-9a-f]+", "u64=*");
    }
    if (line.startsWith("GET_VRING_BASE ")) {
      // It leaves the answer about the ring before in its buffer, where 0 belongs.
      return line.replaceAll("\\bnum=\\d+", "num=*");
    }
    if (line.startsWith("SET_VRING_BASE ")) {
      return line.replaceAll(packed ? "\\bnum=32768$" : "\\bnum=0$", "num=first");
    }
    return line;
  }
}
