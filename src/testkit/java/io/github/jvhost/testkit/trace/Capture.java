package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.Dialect;
import java.time.Instant;
import java.util.List;

/**
 * The traffic that a proxy has recorded.
 *
 * @param listen the path to which front ends connected
 * @param connect the path at which the back end listens
 * @param started when it began; the times of entries count from this moment
 * @param dialect the dialect in which numbers were read
 * @param entries messages and events, in order of time
 * @param cutOff whether the last line was incomplete, for instance after a crash, and is not among
 *     the entries
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
