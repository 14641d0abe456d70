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
 * The one lock of a device, and which thread may use its connection. No helper of a device has a
 * lock of its own. A method that must not wait reads volatile state instead, and says so.
 *
 * <pre>
 *   hold         takes the lock: to read the device or to change it
 *   awaitPlanEnd also waits until no plan of another thread is under way: to send something
 *   keepForPlan  a plan that runs side by side with other devices' keeps the connection from here
 *   letGoOfPlan  to here, without the lock
 *   callLater    calls a listener of the embedder after the lock is released
 * </pre>
 *
 * <p>Listeners of the model and the {@link Observer} are never called with the lock held. So a
 * listener may take a lock that another thread holds while that thread calls the device. While a
 * plan runs side by side with other devices' plans, their calls wait until that plan has ended:
 * they do not make a stop window longer.
 *
 * <p>What has to answer is called with the lock held: the embedder's code in {@link
 * VhostNet#access}, {@link VhostNet#read} and {@link VhostNet#ask}, and {@link BackEndEvents},
 * because the back end waits for the answer, and this thread for the back end.
 */
final class DeviceLock {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition planEnded = lock.newCondition();
  private final Held held = this::release;
  private final ListenerCalls calls;
  private final String device;
  private final Duration longest;

  /** The thread whose plan, side by side with others, is not finished; null if there is none. */
  private @Nullable Thread planThread;

  /** Releases the lock. */
  interface Held extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Makes the lock of a device.
   *
   * @param device its name
   * @param longest how long a plan may take
   */
  DeviceLock(String device, Duration longest) {
    this.device = device;
    this.longest = longest;
    this.calls = new ListenerCalls(device);
  }

  /** Takes the lock, which the calling thread may have already. */
  Held hold() {
    lock.lock();
    return held;
  }

  private void release() {
    boolean last = lock.getHoldCount() == 1 && planThread == null;
    lock.unlock();
    if (last) {
      calls.makeAll();
    }
  }

  /**
   * Calls a listener when this thread has released the lock and no plan is under way; at once if
   * this thread does not hold it. {@link ListenerCalls} says in which order, and on which thread.
   *
   * @param call may throw
   */
  void callLater(Runnable call) {
    calls.add(call);
    if (!lock.isHeldByCurrentThread()) {
      calls.makeAll();
    }
  }

  /** Whether a plan is under way that was begun side by side with others. With the lock held. */
  boolean busy() {
    return planThread != null;
  }

  /** The calling thread begins such a plan. With the lock held. */
  void keepForPlan() {
    planThread = Thread.currentThread();
  }

  /** The plan is finished. With the lock held. */
  void letGoOfPlan() {
    planThread = null;
    planEnded.signalAll();
  }

  /**
   * Waits until no plan is under way that another thread began; at most as long as a plan may take.
   * Called with the lock held. Waiting releases the lock, so call this before reading the device.
   *
   * @throws VhostException (RETRY) if it took too long, or this thread was interrupted
   * @throws IllegalStateException if this thread has begun the plan itself, so that the wait would
   *     not end
   */
  void awaitPlanEnd() {
    if (Thread.currentThread().equals(planThread)) {
      throw new IllegalStateException(
          device
              + ": this thread carries out a transition of the device that is not finished; in a"
              + " migration, do it when run() has returned its report");
    }
    if (planThread == null) {
      return;
    }
    Deadline deadline = Deadline.after(longest);
    while (planThread != null) {
      try {
        if (!planEnded.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS)
            && planThread != null) {
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
   * Waits until no plan of a closed device is under way, also if interrupted; at most as long as a
   * plan may take. With the lock held.
   *
   * @return true if there is none; false if this thread began it, or if it takes too long
   */
  boolean awaitLastPlanEnd() {
    Deadline deadline = Deadline.after(longest);
    boolean interrupted = false;
    while (planThread != null
        && !Thread.currentThread().equals(planThread)
        && deadline.remainingNanos() > 0) {
      try {
        planEnded.awaitNanos(deadline.remainingNanos());
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt(); // the interrupt is kept for after the close
    }
    return planThread == null;
  }
}
