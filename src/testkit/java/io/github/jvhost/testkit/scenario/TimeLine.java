package io.github.jvhost.testkit.scenario;

import java.util.List;

/**
 * The moments of a migration, and the messages that back ends received around them. Both hosts are
 * in one process here and have the same clock. All times are nanoseconds since the migration began,
 * and negative before it.
 *
 * <pre>
 *    connected    begun      paused  stopped  final  restored  started  resumed
 *   -----+----------+----------+--------+-------+-------+---------+--------+----->
 *     (negative)    0          |&lt;----------------- downtime --------------&gt;|
 * </pre>
 *
 * @param moments in order; moments that a migration did not reach are missing
 * @param lanes one for each back end, the source's first; empty if back ends keep no record (DPDK)
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
   * @param name "pausing", "paused", "stopped", "final", "lastFinal", "restored", "started" or
   *     "resumed"
   * @param nanos its time
   */
  public record Moment(String name, long nanos) {}

  /**
   * The messages that one back end received, and the time that it spent on them.
   *
   * @param side "source" or "destination"
   * @param device the device's name
   * @param messages in the order in which they arrived
   * @param charges the modelled times, in order
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
   * @param name the request's name
   * @param payload decoded; empty if there is none
   * @param answered whether the specification requires an answer
   * @param descriptors how many descriptors came with it
   * @param connection the number of the back end's connection, counted from 1
   */
  public record Told(
      long nanos, String name, String payload, boolean answered, int descriptors, int connection) {}

  /**
   * Time that a mock back end spent as if it had configured hardware (modelled).
   *
   * @param nanos when it began
   * @param micros how long it took
   * @param what what was configured, and at which message
   */
  public record Charge(long nanos, long micros, String what) {}
}
