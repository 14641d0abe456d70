package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.Nullable;

/**
 * Where a ring goes on that a plan has stopped and takes up again. Whoever knows guest memory looks
 * there first; this is asked when the back end has answered, so the ring stands still.
 */
@FunctionalInterface
public interface StoppedRings {
  /** Takes back ends at their word. */
  StoppedRings AS_ANSWERED = (_, answered) -> answered;

  /**
   * Where it goes on.
   *
   * @param ring vring index
   * @param answered to GET_VRING_BASE
   * @return in the same encoding; null: nobody knows, so it cannot be taken up
   */
  @Nullable Integer goesOnAt(int ring, int answered);
}
