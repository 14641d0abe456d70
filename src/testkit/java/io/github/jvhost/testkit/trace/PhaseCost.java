package io.github.jvhost.testkit.trace;

/**
 * The cost of one phase of a session.
 *
 * @param phase the phase
 * @param nanos the total time that the session was in it, in nanoseconds
 * @param messages how many messages the front end sent
 * @param replies how many replies arrived
 * @param waits how often the front end waited for replies before it sent more
 * @param waitedNanos how long the replies took, see {@link TracedRequest#replyNanos}; the front end
 *     used the rest of the time
 */
public record PhaseCost(
    SessionPhase phase, long nanos, int messages, int replies, int waits, long waitedNanos) {}
