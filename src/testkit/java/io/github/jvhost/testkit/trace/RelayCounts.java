package io.github.jvhost.testkit.trace;

import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/**
 * Counts the messages of a relay and passes them on. It keeps the times of the last million
 * messages. Thread-safe.
 */
public final class RelayCounts implements RelayObserver {
  private static final int MOST_TIMES = 1 << 20;

  private final RelayObserver next;
  private final Map<RelayRoute, Long> messages = new EnumMap<>(RelayRoute.class);
  private long sessions;
  private long descriptors;
  private long raw;
  private long[] held = new long[1024];
  private long timed;

  /**
   * Creates counts that are all 0.
   *
   * @param next receives every event too
   */
  public RelayCounts(RelayObserver next) {
    this.next = next;
  }

  @Override
  public void connected(int session, long nanos) {
    synchronized (this) {
      sessions++;
    }
    next.connected(session, nanos);
  }

  @Override
  public void passed(RelayedMessage message) {
    count(message);
    next.passed(message);
  }

  private synchronized void count(RelayedMessage message) {
    messages.merge(message.route(), 1L, Long::sum);
    descriptors += message.descriptors();
    raw += message.raw() ? 1 : 0;
    if (timed == held.length && held.length < MOST_TIMES) {
      held = Arrays.copyOf(held, held.length * 2);
    }
    held[(int) (timed % held.length)] = message.passed() - message.arrived();
    timed++;
  }

  @Override
  public void ended(int session, long nanos, String why) {
    next.ended(session, nanos, why);
  }

  /** {@return how many sessions reached the back end} */
  public synchronized long sessions() {
    return sessions;
  }

  /**
   * {@return how many messages one direction had, bytes that were no message included}
   *
   * @param route the direction and socket
   */
  public synchronized long messages(RelayRoute route) {
    return messages.getOrDefault(route, 0L);
  }

  /** {@return how many descriptors came with messages, both ways} */
  public synchronized long descriptors() {
    return descriptors;
  }

  /** {@return how often bytes were passed on that were no message} */
  public synchronized long raw() {
    return raw;
  }

  /**
   * {@return how long the relay held messages, from the arrival of the last byte until they were
   * passed on; of the last million at most}
   */
  public synchronized SortedTimes held() {
    return SortedTimes.of(held, (int) Math.min(timed, held.length));
  }
}
