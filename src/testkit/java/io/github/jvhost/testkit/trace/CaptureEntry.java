package io.github.jvhost.testkit.trace;

/** One entry of a capture. */
public sealed interface CaptureEntry permits CapturedMessage, CaptureEvent {
  /** {@return its time, in nanoseconds since the capture began; 0 or more} */
  long nanos();

  /** {@return the number of its session, counted from 1} */
  int session();
}
