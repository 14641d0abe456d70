package io.github.jvhost.testkit.trace;

import org.jspecify.annotations.Nullable;

/**
 * A request of the front end's, and its reply.
 *
 * @param request what was asked
 * @param phase in which the session was
 * @param reply what came back; null: nothing
 * @param replyNanos from the moment when the request was passed on, or the reply before had come,
 *     whichever was later, until its reply had arrived; 0 without reply
 */
public record TracedRequest(
    CapturedMessage request, SessionPhase phase, @Nullable CapturedMessage reply, long replyNanos) {
  /** {@return whether it was answered} */
  public boolean answered() {
    return reply != null;
  }
}
