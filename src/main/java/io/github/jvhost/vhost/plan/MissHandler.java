package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.Access;
import java.util.Optional;

/**
 * Answers a back end that lacks a translation (IOTLB_MSG, miss). The thread that waits for the back
 * end calls it, perhaps in the stop window, so it returns at once.
 */
@FunctionalInterface
public interface MissHandler {
  /** Knows no translation. */
  MissHandler NONE = (_, _) -> Optional.empty();

  /**
   * {@return what the back end is sent at once, without asking for an answer; empty if there is no
   * translation, or if it is told later}
   *
   * @param iova the I/O virtual address that the back end wants to access
   * @param access how
   */
  Optional<Step.Translate> missed(long iova, Access access);
}
