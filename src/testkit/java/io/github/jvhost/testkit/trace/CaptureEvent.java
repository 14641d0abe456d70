package io.github.jvhost.testkit.trace;

/**
 * A session began or is over.
 *
 * @param nanos since the capture began
 * @param session which one, counted from 1
 * @param connected whether it began
 * @param why it is over, in words; empty where it began
 */
public record CaptureEvent(long nanos, int session, boolean connected, String why)
    implements CaptureEntry {}
