package io.github.jvhost.bench;

import java.util.List;

/** Something that {@code jvhost bench} measures. */
@FunctionalInterface
public interface Bench {
  /**
   * Measures. A row says what this machine lacks for it, or what failed.
   *
   * @param effort how long to go on
   * @return the same rows each time, measured or not
   */
  List<BenchRow> run(Effort effort);
}
