package io.github.jvhost.testkit.scenario;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The result of one migration.
 *
 * @param options the options of the migration
 * @param ranOn "source" or "destination": where the guest runs after the migration
 * @param sourceMicros from the pause to the last ring's stop
 * @param destinationMicros from the first final record to the last barrier
 * @param messages how many messages the destination sent in its window, barriers included
 * @param waits how often the destination waited for a back end in its window, all devices together
 * @param sourceMessages how many messages the source sent to stop its back ends
 * @param sourceWaits how often it waited for a back end, all devices together
 * @param backEndConfigMicros what back ends spent configuring in the window (modelled)
 * @param totalPages all pages of guest memory
 * @param finalRoundPages pages that were sent while the guest was stopped
 * @param residentShare of the destination's memory that was resident before the window, 0 to 1
 * @param checksumOk whether the guest's working set and received frames were correct
 * @param problems the problems that the guest saw; empty if there are none
 * @param outbound the guest's own pings, all NICs together
 * @param inbound the answering host's pings to the guest; null if no host pings it (DPDK)
 * @param droppedByBackEnd echo frames that a back end or a closed port counted as dropped
 * @param lost pings that were neither answered nor counted as dropped
 * @param longestGapMicros longest time without an answer to the guest around the migration
 * @param inboundLongestGapMicros the same for pings to the guest; null as above
 * @param recovered whether every NIC's pings were answered after the migration, both ways
 * @param iotlb how the destination's back ends got their translations; null without an IOMMU, or if
 *     the guest did not arrive
 * @param plan the destination's steps in the stop window, by device
 * @param fallback why the migration was not done in the wanted way; null if it was
 * @param phases microseconds by phase
 * @param timeLine the moments of the migration, and when back ends received which message
 */
public record RunResult(
    ScenarioOptions options,
    String ranOn,
    long sourceMicros,
    long destinationMicros,
    int messages,
    int waits,
    int sourceMessages,
    int sourceWaits,
    long backEndConfigMicros,
    long totalPages,
    long finalRoundPages,
    double residentShare,
    boolean checksumOk,
    List<String> problems,
    Pings outbound,
    @Nullable Pings inbound,
    long droppedByBackEnd,
    long lost,
    long longestGapMicros,
    @Nullable Long inboundLongestGapMicros,
    boolean recovered,
    @Nullable Iotlb iotlb,
    List<DeviceStep> plan,
    @Nullable String fallback,
    Map<String, Long> phases,
    TimeLine timeLine) {

  /** Copies the lists. */
  public RunResult {
    problems = List.copyOf(problems);
    plan = List.copyOf(plan);
  }

  /**
   * Pings one way.
   *
   * @param sent requests
   * @param answered requests that were answered
   * @param duplicates answers beyond the first
   */
  public record Pings(long sent, long answered, long duplicates) {}

  /**
   * Translations of all devices together.
   *
   * @param toldEarly that the back ends held before the window
   * @param toldInWindow that the plans of the window told them
   * @param missesInWindow how often a back end asked for one in the window
   * @param missesAfter how often from then on until each NIC had a hundred answers
   * @param framesLost for the guest, because a translation was missing; null if the back end does
   *     not say
   * @param widened of those that the back ends hold now, how many permit more than the guest does
   */
  public record Iotlb(
      long toldEarly,
      long toldInWindow,
      long missesInWindow,
      long missesAfter,
      @Nullable Long framesLost,
      long widened) {}

  /**
   * A step of the plan.
   *
   * @param device the device's name
   * @param field what the step changes
   * @param before what the back end held; null if nothing
   * @param after what it was sent; null if nothing
   * @param reason why the step was needed
   */
  public record DeviceStep(
      String device,
      String field,
      @Nullable String before,
      @Nullable String after,
      String reason) {}
}
