package io.github.jvhost.testkit.trace;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/**
 * What a front end says in one session, without what differs from run to run: addresses, features
 * (they depend on the offer), where a ring had got to.
 */
final class Conversation {
  private Conversation() {}

  /** What DPDK's virtio-user says with two queue pairs, started and stopped. */
  static List<String> virtioUser() {
    try (InputStream in =
        Conversation.class.getResourceAsStream("/traces/virtio-user-2-pairs.txt")) {
      return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.startsWith("#"))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
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
