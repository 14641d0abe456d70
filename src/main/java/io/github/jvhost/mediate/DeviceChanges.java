package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The changes of a device that runs. Once the newest has settled, spares are told, and others are
 * shown the device as it is: the other mediator while the guest migrates, and the file of its last
 * start. One thread at a time.
 */
final class DeviceChanges {
  private static final Logger log = LoggerFactory.getLogger(DeviceChanges.class);

  /** A storm of changes is told as one: a front end sends ENABLE of all rings again and again. */
  private static final Duration SETTLING = Duration.ofMillis(100);

  private final NicShared nic;

  /** How often the device has changed while a front end was connected. */
  private long count;

  /** When the newest change is settled; null: it is. */
  private @Nullable Deadline settling;

  /** Whether the other mediator has the device as a guest that is about to come. */
  private boolean shipped;

  /** Of what was shipped last. */
  private long generation;

  DeviceChanges(NicShared nic) {
    this.nic = nic;
  }

  boolean isShipped() {
    return shipped;
  }

  long generation() {
    return generation;
  }

  /** Goes on where an earlier mediator has left off. Spares have to be told everything. */
  void restore(boolean wasShipped, long lastGeneration, boolean started) {
    shipped = wasShipped;
    generation = lastGeneration;
    if (started) {
      started();
    }
  }

  /** {@return the number of the newest change} */
  long newest() {
    return count;
  }

  boolean areSettled() {
    return settling == null;
  }

  /** The front end has changed the device. */
  void happened(boolean started) {
    count++;
    if (started) {
      started();
    }
  }

  /** The device has started. */
  void started() {
    settling = Deadline.after(SETTLING);
  }

  /** The device has stopped: what is not settled by now is of no interest. */
  void stopped() {
    settling = null;
  }

  /** {@return how long until something is due, in nanoseconds} */
  long nanosLeft() {
    return settling == null ? Long.MAX_VALUE : settling.remainingNanos();
  }

  /**
   * Shows the device to others, if its newest change has settled now.
   *
   * @param runs whether a switch serves it
   */
  void doWhatIsDue(boolean runs) {
    if (settling == null || !settling.expired()) {
      return;
    }
    settling = null;
    if (!runs) {
      return;
    }
    try {
      Hint.Content content = nic.device().hint();
      nic.around().remember(Hint.configuration(nic.name(), 0, content));
      if (nic.device().logs()) {
        ship(Hint.configuration(nic.name(), ++generation, content), true);
      } else if (shipped) {
        ship(Hint.cancelled(nic.name(), ++generation), false);
      }
    } catch (VhostException e) {
      log.warn("{}: its configuration cannot be shipped: {}", nic.name(), e.getMessage());
    }
  }

  /** The front end has gone. */
  void frontEndWent() {
    settling = null;
    if (shipped) {
      ship(Hint.gone(nic.name(), ++generation), false);
    }
  }

  private void ship(Hint hint, boolean comes) {
    nic.around().publish(hint);
    shipped = comes;
    nic.around().hasChanged();
  }
}
