package io.github.jvhost.migration;

import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartResult;
import java.util.List;
import java.util.Map;

/**
 * What the destination did, with the time stamps of one clock ({@link System#nanoTime}).
 *
 * @param presetups by device, the newest result each
 * @param presetupsAbandoned whether presetup was still under way when the guest had to run
 * @param endPresetupNanos how long that was waited for, from the moment that the source was about
 *     to stop its guest; next to nothing if presetup was done
 * @param starts the result of each device's start, in the devices' order
 * @param finalNanos when the first final record was there
 * @param lastFinalNanos when the last final record was there; the first one with one device
 * @param restoredNanos when the device models were restored
 * @param startedNanos when the last back end had answered its barrier
 * @param resumedNanos when {@link VmControl#resume} had returned
 * @param rehearsal the result of the newest rehearsal of the window
 * @param announced devices whose back end or driver was asked to announce the guest
 */
public record DestinationReport(
    Map<String, PresetupResult> presetups,
    boolean presetupsAbandoned,
    long endPresetupNanos,
    List<StartResult> starts,
    long finalNanos,
    long lastFinalNanos,
    long restoredNanos,
    long startedNanos,
    long resumedNanos,
    RehearsalReport rehearsal,
    int announced) {

  /** Copies the collections. */
  public DestinationReport {
    presetups = Map.copyOf(presetups);
    starts = List.copyOf(starts);
  }

  /**
   * {@return the destination's stop window in microseconds: from the first final record to the last
   * barrier, and before that the wait for a late presetup}
   */
  public long windowMicros() {
    long late = presetupsAbandoned ? endPresetupNanos : 0;
    return (startedNanos - finalNanos + late) / 1_000;
  }

  /** {@return the report in one line; the parts have more} */
  @Override
  public String toString() {
    return "arrived: window of %d us, %d of %d devices preset%s, %d started, %d announced"
        .formatted(
            windowMicros(),
            presetups.values().stream().filter(PresetupResult::done).count(),
            starts.size(),
            presetupsAbandoned ? " (some given up)" : "",
            starts.stream().filter(StartResult::running).count(),
            announced);
  }
}
