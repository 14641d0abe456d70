package io.github.jvhost.testkit.scenario;

import java.util.List;

/**
 * When a migration's moments were, and what back ends were told around them. Both hosts are in one
 * process here, so there is one clock: all times are nanoseconds from the moment that the migration
 * began, and negative before it.
 *
 * <pre>
 *    connected    begun      paused  stopped  final  restored  started  resumed
 *   -----+----------+----------+--------+-------+-------+---------+--------+----->
 *     (negative)    0          |&lt;----------------- downtime --------------&gt;|
 * </pre>
 *
 * @param moments in order; those that a migration did not come to are missing
 * @param lanes one for each back end, the source's first; empty where back ends keep no record
 *     (DPDK)
 */
public record TimeLine(List<Moment> moments, List<Lane> lanes) {
  /** Copies the lists. */
  public TimeLine {
    moments = List.copyOf(moments);
    lanes = List.copyOf(lanes);
  }

  /**
   * A moment.
   *
   * @param name "pausing", "paused", "stopped", "final", "restored", "started" or "resumed"
   * @param nanos when
   */
  public record Moment(String name, long nanos) {}

  /**
   * What one back end was told, and what it spent on it.
   *
   * @param side "source" or "destination"
   * @param device the device's name
   * @param messages in the order in which they arrived
   * @param charges in order
   */
  public record Lane(String side, String device, List<Told> messages, List<Charge> charges) {
    /** Copies the lists. */
    public Lane {
      messages = List.copyOf(messages);
      charges = List.copyOf(charges);
    }
  }

  /**
   * A message.
   *
   * @param nanos when all of it had arrived at the back end
   * @param name the request's
   * @param payload decoded; empty where there is none
   * @param answered whether the specification wants an answer to it
   * @param descriptors how many came along
   * @param connection on which of the back end's connections, counted from 1
   */
  public record Told(
      long nanos, String name, String payload, boolean answered, int descriptors, int connection) {}

  /**
   * Time that a mock back end spent as if it had configured hardware (modelled).
   *
   * @param nanos when it began
   * @param micros how long it took
   * @param what was configured, and upon what
   */
  public record Charge(long nanos, long micros, String what) {}
}
