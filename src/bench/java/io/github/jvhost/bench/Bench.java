package io.github.jvhost.bench;

import java.util.List;

/** Something that {@code jvhost bench} measures. */
@FunctionalInterface
public interface Bench {
  /**
   * Measures. What this machine lacks for a row is said in it, and so is what went wrong.
   *
   * @param effort how long to go on
   * @return the same rows each time, measured or not
   */
  List<BenchRow> run(Effort effort);
}
