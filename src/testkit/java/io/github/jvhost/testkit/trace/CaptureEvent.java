package io.github.jvhost.testkit.trace;

/**
 * A session began or ended.
 *
 * @param nanos its time, in nanoseconds since the capture began
 * @param session the session's number, counted from 1
 * @param connected true if the session began, false if it ended
 * @param why why it ended, as text; empty if it began
 */
public record CaptureEvent(long nanos, int session, boolean connected, String why)
    implements CaptureEntry {}
