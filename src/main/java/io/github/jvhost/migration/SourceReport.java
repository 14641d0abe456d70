package io.github.jvhost.migration;

import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.RefusedBase;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the source did, with the time stamps of one clock ({@link System#nanoTime}).
 *
 * @param presetupNotes for each device that was not preset, why
 * @param presetupLate whether the guest was stopped before the destination had answered
 * @param stops the outcome of each device's stop
 * @param totalPages of guest memory
 * @param roundPages pages that each round sent; the last one is the final round
 * @param pausingNanos when the VM was asked to pause its guest
 * @param pausedNanos when that was done: the guest had been paused
 * @param stoppedNanos when all rings had stopped
 * @param committedNanos when everything had been handed over
 * @param runningNanos when RUNNING came from the destination
 */
public record SourceReport(
    List<String> presetupNotes,
    boolean presetupLate,
    List<Outcome> stops,
    long totalPages,
    List<Long> roundPages,
    long pausingNanos,
    long pausedNanos,
    long stoppedNanos,
    long committedNanos,
    long runningNanos) {

  /** Copies the collections. */
  public SourceReport {
    presetupNotes = List.copyOf(presetupNotes);
    stops = List.copyOf(stops);
    roundPages = List.copyOf(roundPages);
  }

  /**
   * {@return the answers of back ends to where a ring stopped that did not count, a line each:
   * guest memory or the in-flight region ruled them out, and was used instead}
   */
  public List<String> ringNotes() {
    return stops.stream()
        .flatMap(stop -> stop.refusedBases().stream())
        .map(RefusedBase::describe)
        .toList();
  }

  /**
   * {@return how long the guest did not run, as far as the source can tell: from the call of {@link
   * VmControl#pause} to the arrival of RUNNING} It is an upper bound: the guest still ran for a
   * part of the pause, and RUNNING takes its time on the way back. From when the guest had surely
   * stopped, count from {@link #pausedNanos}.
   */
  public Duration downtime() {
    return Duration.ofNanos(runningNanos - pausingNanos);
  }

  /** {@return how many pages the last round sent, which the guest had to wait for} */
  public long finalRoundPages() {
    return roundPages.isEmpty() ? 0 : roundPages.getLast();
  }

  /**
   * {@return why presetup was not what was asked for, in one line; null: it was, as far as is
   * known}
   */
  public @Nullable String fallback() {
    if (presetupLate) {
      return "presetup was late: the guest was stopped before it was done";
    }
    return presetupNotes.isEmpty() ? null : String.join("; ", presetupNotes);
  }

  /** {@return the report in one line; the parts have more} */
  @Override
  public String toString() {
    String early = fallback();
    return "left: %d rounds, %d pages of %d, the last %d with the guest stopped; down for %d us; %d devices stopped, %s"
        .formatted(
            roundPages.size(),
            roundPages.stream().mapToLong(Long::longValue).sum(),
            totalPages,
            finalRoundPages(),
            downtime().toNanos() / 1_000,
            stops.stream().filter(Outcome::complete).count(),
            early == null ? "presetup as asked for" : early);
  }
}
