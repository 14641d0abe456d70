package io.github.jvhost.testkit.guest;

import io.github.jvhost.testkit.net.PingSeries;
import io.github.jvhost.testkit.net.PingStats;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a guest's own pings came to, one {@link PingSeries} for each NIC. It lives outside of the
 * guest and is passed to the guest object of the source and of the destination, as an observer who
 * watches both. Thread-safe.
 */
public final class PingRecorder {
  private final List<PingSeries> series;

  /**
   * An empty recorder.
   *
   * @param nics how many NICs the guest has
   */
  public PingRecorder(int nics) {
    series = Stream.generate(PingSeries::new).limit(nics).toList();
  }

  /** {@return how many NICs it was made for} */
  public int nics() {
    return series.size();
  }

  /**
   * {@return the book of one NIC}
   *
   * @param index the NIC's number, from 0
   */
  public PingSeries nic(int index) {
    return series.get(index);
  }

  /** Begins a new window on every NIC. */
  public void mark() {
    series.forEach(PingSeries::mark);
  }

  /** {@return whether every NIC had an answer to a request that was sent after the mark} */
  public boolean recovered() {
    return series.stream().allMatch(PingSeries::recovered);
  }

  /**
   * {@return the state of every NIC, in order}
   *
   * @param grace how old an unanswered request may be and still count as in flight, see {@link
   *     PingSeries#stats}
   */
  public List<PingStats> stats(Duration grace) {
    return series.stream().map(s -> s.stats(grace)).toList();
  }
}
