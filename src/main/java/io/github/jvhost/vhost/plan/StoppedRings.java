package io.github.jvhost.vhost.plan;

import org.jspecify.annotations.Nullable;

/**
 * Says where a ring goes on that a plan has stopped and starts again. An implementation can compare
 * the answer with guest memory: it is called after the back end has answered, so the ring does not
 * run.
 */
@FunctionalInterface
public interface StoppedRings {
  /** Goes on where the back end answered. */
  StoppedRings AS_ANSWERED = (_, answered) -> answered;

  /**
   * Says where a ring goes on.
   *
   * @param ring vring index
   * @param answered the base in the answer to GET_VRING_BASE
   * @return the base, in the same encoding; null: it is not known, so the ring cannot be started
   */
  @Nullable Integer goesOnAt(int ring, int answered);
}
