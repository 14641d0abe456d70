package io.github.jvhost.migration;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Does work that must not change where the guest runs: what it throws is only logged. */
final class Settled {
  private static final Logger log = LoggerFactory.getLogger(Settled.class);

  private Settled() {}

  /**
   * Does the work, and logs what it throws.
   *
   * @param what which side does it, and what it is
   */
  static void run(String what, Runnable work) {
    try {
      work.run();
    } catch (Throwable e) {
      log.warn("{} failed, which does not change where the guest runs: {}", what, e.toString());
    }
  }
}
