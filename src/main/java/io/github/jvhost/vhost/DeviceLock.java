package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The one lock of a device, and whose turn it is with the device's connection. No helper of a
 * device has a lock of its own; what must not wait reads volatile state instead, and says so.
 *
 * <pre>
 *   hold         the lock: for whoever looks at the device or changes it
 *   await        besides, no plan of another thread is under way: for whoever sends something
 *   planBegins   a plan that goes side by side with other devices' keeps the connection from here
 *   planEnds     to here, without the lock
 * </pre>
 */
final class DeviceLock {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition planEnded = lock.newCondition();
  private final Held held = lock::unlock;
  private final String device;
  private final Duration longest;

  /** Who began a plan, side by side with others, that is not finished; null: there is none. */
  private @Nullable Thread planner;

  /** Lets go of the lock. */
  interface Held extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Of a device.
   *
   * @param device its name
   * @param longest how long a plan may take
   */
  DeviceLock(String device, Duration longest) {
    this.device = device;
    this.longest = longest;
  }

  /** Takes the lock, which the calling thread may have already. */
  Held hold() {
    lock.lock();
    return held;
  }

  /** Whether a plan is under way that was begun side by side with others. With the lock held. */
  boolean busy() {
    return planner != null;
  }

  /** The calling thread begins such a plan. With the lock held. */
  void planBegins() {
    planner = Thread.currentThread();
  }

  /** It is finished. With the lock held. */
  void planEnds() {
    planner = null;
    planEnded.signalAll();
  }

  /**
   * Waits until no plan is under way that another thread began; at most as long as one may take.
   * With the lock held, which the waiting lets go: so this comes before anything is looked at.
   *
   * @throws VhostException (RETRY) it took too long, or this thread was interrupted
   * @throws IllegalStateException this thread has begun the plan itself, so it would wait in vain
   */
  void await() {
    if (Thread.currentThread().equals(planner)) {
      throw new IllegalStateException(
          device
              + ": this thread carries out a transition of the device that is not finished; in a"
              + " migration, do it when run() has returned its report");
    }
    if (planner == null) {
      return;
    }
    Deadline deadline = Deadline.after(longest);
    while (planner != null) {
      try {
        if (!planEnded.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS) && planner != null) {
          throw new VhostException(
              device + ": another transition of the device is still under way", Recovery.RETRY);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new VhostException(
            device + ": interrupted while another transition was under way", Recovery.RETRY, e);
      }
    }
  }

  /**
   * Waits for a device that is closed until no plan is under way, whatever interrupts; at most as
   * long as one may take. With the lock held.
   *
   * @return whether there is none; false: it is this thread's own, or it takes too long
   */
  boolean awaitLast() {
    Deadline deadline = Deadline.after(longest);
    boolean interrupted = false;
    while (planner != null
        && !Thread.currentThread().equals(planner)
        && deadline.remainingNanos() > 0) {
      try {
        planEnded.awaitNanos(deadline.remainingNanos());
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt(); // whoever interrupted is heard behind the close
    }
    return planner == null;
  }
}
