package io.github.jvhost.migration;

import io.github.jvhost.vhost.DeviceStart;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The stop window on the destination: from the final records to devices that run. A {@link
 * Rehearsal} goes through the same window, so all code between the two belongs here.
 *
 * <pre>
 *   open       the guest runs on the source; connections are watched from here on
 *   take       the guest is stopped: one final record a device
 *   start      COMMIT came: back ends' states are loaded, devices restored and started
 *   (the guest resumes)
 *   results    for the report
 * </pre>
 *
 * <p>For one thread.
 */
final class DestinationWindow implements AutoCloseable {
  private final List<VhostNet> devices;
  private final StartOrder order;
  private final PhaseClock clock;
  private final Map<VhostNet, VirtioNetState> states = new LinkedHashMap<>();

  /** Null before {@link #open}, and if there is no device. */
  private @Nullable DeviceStart start;

  private long restoredAt;
  private long startedAt;

  /**
   * Makes the window of these devices.
   *
   * @param devices each once; may be empty
   * @param clock reads the times of the window's parts
   */
  DestinationWindow(List<VhostNet> devices, StartOrder order, PhaseClock clock) {
    this.devices = List.copyOf(devices);
    this.order = order;
    this.clock = clock;
  }

  /** Makes what the window needs. Presetup is over. A second call does nothing. */
  void open() {
    if (start == null && !devices.isEmpty()) {
      start = new DeviceStart(devices, order);
    }
  }

  /**
   * Takes the final state of a device.
   *
   * @throws io.github.jvhost.VhostException if the device has one already
   */
  void take(VhostNet net, VirtioNetState state) {
    if (state.net().backEnd().isPresent()) {
      throw MigrationException.malformed(
          "the state of %s's back end in the device's record: it has to come in messages of its own"
              .formatted(net.name()));
    }
    if (states.put(net, state) != null) {
      throw MigrationException.malformed("two final states of device " + net.name());
    }
  }

  /**
   * Checks, after COMMIT, that every device has its final record.
   *
   * @throws MigrationException if a device has no final record
   */
  void requireAllFinals() {
    if (states.size() != devices.size()) {
      throw MigrationException.malformed(
          "handed over with %d final records for %d devices"
              .formatted(states.size(), devices.size()));
    }
  }

  /**
   * Restores the devices and starts them. The window is open, and has all final records.
   *
   * @param backEnds the back ends' own states that came
   */
  void start(Collection<BackEndStateReceiver> backEnds) {
    // No lambda: it would be linked while the guest is stopped.
    for (BackEndStateReceiver state : backEnds) {
      state.load();
    }
    for (Map.Entry<VhostNet, VirtioNetState> device : states.entrySet()) {
      device.getKey().restore(device.getValue());
    }
    restoredAt = clock.endPart("restore");
    if (start != null) {
      start.start();
    }
    for (BackEndStateReceiver state : backEnds) {
      state.requireHeld();
    }
    startedAt = clock.endPart("start");
  }

  /** When the devices were restored ({@link System#nanoTime}). */
  long restoredAt() {
    return restoredAt;
  }

  /** When the devices had started ({@link System#nanoTime}). */
  long startedAt() {
    return startedAt;
  }

  /** See {@link DeviceStart#results}. */
  List<StartResult> results() {
    return start == null ? List.of() : start.results();
  }

  @Override
  public void close() {
    if (start != null) {
      start.close();
    }
  }
}
