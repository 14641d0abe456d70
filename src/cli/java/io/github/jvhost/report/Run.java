package io.github.jvhost.report;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One migration in the JSON. Times in {@code ...Micros} are microseconds, in {@code ...Nanos}
 * nanoseconds from the moment that the migration began.
 *
 * @param presetup the way of presetup: "explicit"
 * @param setting what was migrated
 * @param ranOn where the guest runs after the migration
 * @param window the stop window
 * @param ram guest memory
 * @param ping the guest's pings and those to it
 * @param iotlb translations that back ends were told and asked for; null without an IOMMU
 * @param phases microseconds by phase
 * @param plan the steps in the stop window
 * @param timeLine when each message was received
 * @param fallback why it was not done in the wanted way; null if it was
 * @param problems the problems that the guest saw
 */
record Run(
    String presetup,
    Setting setting,
    String ranOn,
    Window window,
    Ram ram,
    Ping ping,
    @Nullable Iotlb iotlb,
    Map<String, Long> phases,
    List<Step> plan,
    TimeLine timeLine,
    @Nullable String fallback,
    List<String> problems) {

  /** What was migrated, and between what. */
  record Setting(
      long devices,
      long queuePairs,
      long memoryBytes,
      String backEnd,
      @Nullable String personality,
      @Nullable String hardwareModel,
      String change,
      String fail) {}

  /** The figures of the stop window. The time for configuring back ends in it may be modelled. */
  record Window(
      long sourceMicros,
      long destinationMicros,
      long messages,
      long waits,
      long sourceMessages,
      long sourceWaits,
      long configMicros,
      boolean configIsModelled) {}

  /**
   * How back ends got their translations; no frames are known to be lost where none are counted.
   */
  record Iotlb(
      long toldEarly,
      long toldInWindow,
      long missesInWindow,
      long missesAfter,
      @Nullable Long framesLost,
      long widened) {}

  /** Guest memory. */
  record Ram(long totalPages, long finalRoundPages, double residentShare, boolean intact) {}

  /** Pings. Those to the guest are null if no host pings it. */
  record Ping(
      long sent,
      long answered,
      @Nullable Long inboundSent,
      @Nullable Long inboundAnswered,
      long dropped,
      long lost,
      long longestGapMicros,
      @Nullable Long inboundLongestGapMicros,
      boolean recovered) {}

  /** A step of a plan. */
  record Step(
      String device, String field, @Nullable String from, @Nullable String to, String reason) {}

  /** Moments by name, in order, and a lane for each back end. */
  record TimeLine(Map<String, Long> moments, List<Lane> lanes) {
    /** Returns the time of a moment, or null if the run did not reach it. */
    @Nullable Long at(String moment) {
      return moments.get(moment);
    }
  }

  /** The messages that one back end received, or was sent. */
  record Lane(String side, String device, List<Message> messages, List<Work> work) {
    String name() {
      return side + " " + device;
    }

    /** Returns how many messages came in a span, both ends included. */
    long messagesWithin(long fromNanos, long toNanos) {
      return messages.stream().filter(m -> m.within(fromNanos, toNanos)).count();
    }
  }

  /**
   * A message as the back end received it, or as it was sent.
   *
   * @param payload decoded; its size where that is all that is known
   */
  record Message(
      long nanos,
      String name,
      String payload,
      boolean answered,
      long descriptors,
      long connection) {
    boolean within(long fromNanos, long toNanos) {
      return nanos >= fromNanos && nanos <= toNanos;
    }
  }

  /** Time that a back end spent on configuration (modelled), or until an answer (recorded). */
  record Work(long nanos, long micros, String what) {}
}
