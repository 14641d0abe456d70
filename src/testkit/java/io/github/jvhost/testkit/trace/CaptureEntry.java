package io.github.jvhost.testkit.trace;

/** What a capture is a list of. */
public sealed interface CaptureEntry permits CapturedMessage, CaptureEvent {
  /** {@return when it was, in nanoseconds since the capture began; 0 or more} */
  long nanos();

  /** {@return in which session it was, counted from 1} */
  int session();
}
