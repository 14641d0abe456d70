package io.github.jvhost.testkit.trace;

import org.jspecify.annotations.Nullable;

/**
 * A request of the front end and its reply.
 *
 * @param request the request
 * @param phase the session's phase
 * @param reply the reply, or null if there was none
 * @param replyNanos the time until its reply arrived, in nanoseconds, from the moment when the
 *     request was passed on or when the previous reply arrived, whichever was later; 0 without
 *     reply
 */
public record TracedRequest(
    CapturedMessage request, SessionPhase phase, @Nullable CapturedMessage reply, long replyNanos) {
  /** {@return whether it was answered} */
  public boolean answered() {
    return reply != null;
  }
}
