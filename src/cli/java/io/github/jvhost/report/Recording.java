package io.github.jvhost.report;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a flight recording says of back ends. Times in {@code ...Nanos} are nanoseconds from the
 * first event that was read.
 *
 * @param devices by name
 * @param zeroNanos when the earliest of all that is here happened
 * @param leftOut how many older events are not here
 */
record Recording(List<Device> devices, long zeroNanos, long leftOut) {
  /**
   * A device, such as a mediator's NIC.
   *
   * @param lane the messages that its back end was sent; its work is the time until each answer
   * @param spans in order of their ends
   */
  record Device(String name, Run.Lane lane, List<Span> spans) {}

  /**
   * A time in which a back end was told something: a presetup, a start, a replay, a move, or a plan
   * that belongs to none of these.
   *
   * @param what it was: "start"
   * @param facts about it, for people
   * @param fromNanos when it began
   * @param toNanos when it ended
   * @param recorded when the event was written, by the clock of the recorded machine
   * @param failure why it did not work; null: it did
   * @param plans those that are parts of it
   */
  record Span(
      String what,
      String facts,
      long fromNanos,
      long toNanos,
      Instant recorded,
      @Nullable String failure,
      List<Span> plans) {

    long nanos() {
      return toNanos - fromNanos;
    }

    Span with(List<Span> parts) {
      return new Span(what, facts, fromNanos, toNanos, recorded, failure, parts);
    }

    boolean contains(Span other) {
      return fromNanos <= other.fromNanos && other.toNanos <= toNanos;
    }
  }
}
