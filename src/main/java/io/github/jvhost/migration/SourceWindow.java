package io.github.jvhost.migration;

import io.github.jvhost.vhost.DeviceStop;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.plan.Outcome;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The stop window on the source: from a paused guest to the bytes that hand it over. {@link
 * #rehearse} goes through the same window with copies of the devices, so what the devices have to
 * do between the two belongs here.
 *
 * <pre>
 *   new         the guest runs: the stop is made
 *   stop        the guest is paused: the rings stop
 *   records     of the stopped devices, behind the last dirty pages
 *   outcomes    for the report; the devices can be used again
 * </pre>
 *
 * <p>For one thread.
 */
final class SourceWindow implements AutoCloseable {
  /** The first compiler is at a method after 200 calls; most are called several times a round. */
  private static final int ROUNDS = 100;

  /** A JVM that has just started loads the code in this time, and makes some ten rounds. */
  private static final Duration REHEARSAL = Duration.ofMillis(200);

  private final FinalRecords records;

  /** Null: there is no device. */
  private final @Nullable DeviceStop stop;

  /**
   * Makes the window of devices that run.
   *
   * @param devices each once; may be empty
   * @param records of these devices
   */
  SourceWindow(List<VhostNet> devices, StartOrder order, FinalRecords records) {
    this.records = records;
    this.stop = devices.isEmpty() ? null : new DeviceStop(devices, order);
  }

  /**
   * Goes through such windows, with back ends in this process. The first window of a JVM takes some
   * milliseconds longer than others, and a stopped guest would wait for that.
   *
   * @param records of these devices; copies have none
   */
  static void rehearse(List<VhostNet> devices, StartOrder order, FinalRecords records) {
    VhostNetGroup.rehearse(
        devices,
        ROUNDS,
        REHEARSAL,
        copies -> {
          try (var window = new SourceWindow(copies, order, records)) {
            window.stop();
            window.requireStopped();
          }
        });
    records.rehearse();
  }

  /** Stops the rings. */
  void stop() {
    if (stop != null) {
      stop.stop();
    }
  }

  /**
   * Makes sure that guest memory and the devices' states are final.
   *
   * @throws io.github.jvhost.VhostException if a back end may still write, which would be lost
   *     behind the last pages; or if a state would have to guess where a ring goes on
   */
  void requireStopped() {
    if (stop != null) {
      stop.requireStopped();
      stop.requirePositions();
    }
  }

  /** The final records and COMMIT. */
  ByteBuffer records() {
    return records.ofStopped();
  }

  /** See {@link DeviceStop#outcomes}. */
  List<Outcome> outcomes() {
    return stop == null ? List.of() : stop.outcomes();
  }

  @Override
  public void close() {
    if (stop != null) {
      stop.close();
    }
  }
}
