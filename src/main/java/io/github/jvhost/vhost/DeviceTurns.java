package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Whose turn it is with a device's connection: a plan that was begun side by side with others has
 * it to itself until it is finished, without the device's lock. All of this is called with that
 * lock held.
 */
final class DeviceTurns {
  private final Object lock;
  private final String name;
  private final Duration longest;

  /** Who began a plan, side by side with others, that is not finished; null: there is none. */
  private @Nullable Thread holder;

  private boolean handedOver;

  /**
   * Of a device.
   *
   * @param lock the device's
   * @param name the device's
   * @param longest how long a plan may take
   */
  DeviceTurns(Object lock, String name, Duration longest) {
    this.lock = lock;
    this.name = name;
    this.longest = longest;
  }

  /** The guest was migrated away: it is nobody's turn here any more. */
  void handedOver() {
    handedOver = true;
  }

  /** The device has taken up another state, and so belongs to a guest of this host. */
  void hereAgain() {
    handedOver = false;
  }

  /**
   * For whatever would tell the back end something.
   *
   * @throws IllegalStateException the guest was migrated away
   */
  void requireHere() {
    if (handedOver) {
      throw new IllegalStateException(
          name
              + ": its guest was migrated and runs on another host; close this device, or restore a"
              + " state into it");
    }
  }

  boolean busy() {
    return holder != null;
  }

  void planBegins() {
    holder = Thread.currentThread();
  }

  void planEnds() {
    holder = null;
    lock.notifyAll();
  }

  /**
   * Waits until no plan is under way that another thread began; at most as long as one may take.
   * Waiting lets go of the lock, so this comes before anything is looked at.
   *
   * @throws VhostException (RETRY) it took too long, or this thread was interrupted
   * @throws IllegalStateException this thread has begun the plan itself, so it would wait in vain
   */
  void await() {
    Thread busyWith = holder;
    if (busyWith != null) {
      if (Thread.currentThread().equals(busyWith)) {
        throw new IllegalStateException(
            name
                + ": this thread carries out a transition of the device that is not finished; in a"
                + " migration, do it when run() has returned its report");
      }
      awaitEnd(Deadline.after(longest)); // nothing is made in a stop window
    }
  }

  /**
   * Waits for a device that is closed until no plan is under way, whatever interrupts; at most as
   * long as one may take.
   *
   * @return whether there is none; false: it is this thread's own, or it takes too long
   */
  boolean awaitLast() {
    Deadline deadline = Deadline.after(longest);
    boolean interrupted = false;
    long millis = longest.toMillis();
    while (holder != null && !Thread.currentThread().equals(holder) && millis > 0) {
      try {
        lock.wait(millis);
      } catch (InterruptedException e) {
        interrupted = true;
      }
      millis = deadline.remainingNanos() / 1_000_000;
    }
    if (interrupted) {
      Thread.currentThread().interrupt(); // whoever interrupted is heard behind the close
    }
    return holder == null;
  }

  private void awaitEnd(Deadline deadline) {
    while (holder != null) {
      long millis = deadline.remainingNanos() / 1_000_000;
      if (millis <= 0) {
        throw new VhostException(
            name + ": another transition of the device is still under way", Recovery.RETRY);
      }
      try {
        lock.wait(millis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new VhostException(
            name + ": interrupted while another transition was under way", Recovery.RETRY, e);
      }
    }
  }
}
