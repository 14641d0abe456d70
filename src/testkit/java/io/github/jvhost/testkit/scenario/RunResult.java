package io.github.jvhost.testkit.scenario;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What one migration came to.
 *
 * @param options what was asked for
 * @param ranOn "source" or "destination": where the guest ran in the end
 * @param sourceMicros from the pause to the last ring's stop
 * @param destinationMicros from the first final record to the last barrier
 * @param messages that the destination told in its window, barriers among them
 * @param waits how often the destination waited for a back end in its window, all devices together
 * @param sourceMessages that the source told to stop
 * @param sourceWaits how often it waited for a back end, all devices together
 * @param backEndConfigMicros what back ends spent configuring in the window (modelled)
 * @param totalPages of guest memory
 * @param finalRoundPages that the guest had to wait for
 * @param residentShare of the destination's memory that was resident before the window, 0 to 1
 * @param checksumOk whether the guest's working set and received frames were as they should be
 * @param problems that the guest saw; empty: none
 * @param outbound the guest's own pings, all NICs together
 * @param inbound the answering host's pings to the guest; null: nobody pings it (DPDK)
 * @param droppedByBackEnd echo frames that a back end or a closed port counted as dropped
 * @param lost pings that nobody counted as dropped and nobody answered
 * @param longestGapMicros longest time without an answer to the guest around the migration
 * @param inboundLongestGapMicros the same for pings to the guest; null as above
 * @param recovered whether every NIC's pings were answered after the migration, both ways
 * @param plan the destination's stop-window steps, by device
 * @param fallback why it was not done as asked; null: it was
 * @param phases microseconds by phase
 * @param timeLine when what was, and what back ends were told when
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
   * A step of the plan.
   *
   * @param device whose
   * @param field what it is about
   * @param before what the back end held; null where there is none
   * @param after what it was told; null where there is none
   * @param reason why
   */
  public record DeviceStep(
      String device,
      String field,
      @Nullable String before,
      @Nullable String after,
      String reason) {}
}
