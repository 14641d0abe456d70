package io.github.jvhost.testkit.trace;

/**
 * What one phase of a session cost.
 *
 * @param phase which
 * @param nanos how long the session was in it, all times together
 * @param messages that the front end sent
 * @param replies that came back
 * @param waits how often the front end sent nothing more until replies had come
 * @param waitedNanos how long the replies took, see {@link TracedRequest#replyNanos}; the rest of
 *     the time is the front end's own
 */
public record PhaseCost(
    SessionPhase phase, long nanos, int messages, int replies, int waits, long waitedNanos) {}
