package io.github.jvhost.migration;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is done when it is settled who runs the guest: whatever it throws changes nothing. */
final class Settled {
  private static final Logger log = LoggerFactory.getLogger(Settled.class);

  private Settled() {}

  /**
   * Does something, and logs what it throws.
   *
   * @param what by whom, and what
   */
  static void run(String what, Runnable work) {
    try {
      work.run();
    } catch (Throwable e) {
      log.warn("{} failed, which does not change where the guest runs: {}", what, e.toString());
    }
  }
}
