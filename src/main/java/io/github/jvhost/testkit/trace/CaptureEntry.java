package io.github.jvhost.testkit.trace;

/** What a capture is a list of. */
public sealed interface CaptureEntry permits CapturedMessage, CaptureEvent {
  /** When it was, in nanoseconds since the capture began; 0 or more. */
  long nanos();

  /** In which session, counted from 1. */
  int session();
}
