package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.Dialect;
import java.time.Instant;
import java.util.List;

/**
 * What a proxy has seen.
 *
 * @param listen where front ends connected
 * @param connect where the back end listens
 * @param started when it began; entries count from here
 * @param dialect in which numbers were read
 * @param entries in the order in which things happened
 * @param cutOff whether the last line was incomplete, as a crash leaves it, and is not among them
 */
public record Capture(
    String listen,
    String connect,
    Instant started,
    Dialect dialect,
    List<CaptureEntry> entries,
    boolean cutOff) {
  /** Copies the list. */
  public Capture {
    entries = List.copyOf(entries);
  }
}
