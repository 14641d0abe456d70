package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.Access;
import java.util.List;

/**
 * Answers a back end that lacks a translation (IOTLB_MSG, miss). The thread that waits for the back
 * end calls it, perhaps in the stop window, so it returns at once.
 */
@FunctionalInterface
public interface MissHandler {
  /** Knows no translation. */
  MissHandler NONE = (_, _) -> List.of();

  /**
   * {@return what the back end is sent at once, each a {@link Step.Translate} or a {@link
   * Step.Invalidate}; none if there is no translation} No answer to them is asked for.
   *
   * @param iova the I/O virtual address that the back end wants to access
   * @param access how
   */
  List<Step> missed(long iova, Access access);
}
