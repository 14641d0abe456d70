package io.github.jvhost.testkit.guest;

import io.github.jvhost.testkit.net.PingSeries;
import io.github.jvhost.testkit.net.PingStats;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/**
 * The results of a guest's own pings, one {@link PingSeries} for each NIC. It is not part of the
 * guest: the guest objects of source and destination share it, so that it counts across a
 * migration. Thread-safe.
 */
public final class PingRecorder {
  private final List<PingSeries> series;

  /**
   * Creates an empty recorder.
   *
   * @param nics how many NICs the guest has
   */
  public PingRecorder(int nics) {
    series = Stream.generate(PingSeries::new).limit(nics).toList();
  }

  /** {@return how many NICs it counts} */
  public int nics() {
    return series.size();
  }

  /**
   * {@return the series of one NIC}
   *
   * @param index the NIC's number, from 0
   */
  public PingSeries nic(int index) {
    return series.get(index);
  }

  /** Starts a new window on every NIC. */
  public void mark() {
    series.forEach(PingSeries::mark);
  }

  /** {@return whether every NIC received an answer to a request that was sent after the mark} */
  public boolean recovered() {
    return series.stream().allMatch(PingSeries::recovered);
  }

  /**
   * {@return the state of every NIC, in order}
   *
   * @param grace the greatest age of an unanswered request that still counts as in flight, see
   *     {@link PingSeries#stats}
   */
  public List<PingStats> stats(Duration grace) {
    return series.stream().map(s -> s.stats(grace)).toList();
  }
}
