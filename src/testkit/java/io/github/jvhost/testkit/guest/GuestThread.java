package io.github.jvhost.testkit.guest;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The one thread of a guest, its vCPU. It runs rounds. Between two rounds is a safe point, at which
 * it parks or runs work for other threads.
 *
 * <pre>
 *   NEW --start--> RUNNING <--pause, resume--> PARKED          RUNNING, PARKED --close--> ENDED
 *   work of other threads runs on the guest's thread, or on the caller's while NEW or PARKED
 * </pre>
 *
 * A thread that takes the lock while the guest is parked sees all its writes, and none of them in
 * part.
 */
final class GuestThread {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Queue<FutureTask<?>> tasks = new ArrayDeque<>();
  private final EventFd wake;
  private final Runnable round;
  private final Thread thread;
  private boolean pauseRequested;
  private boolean running;
  private boolean parked = true;
  private boolean closing;
  private @Nullable RuntimeException failure;

  /**
   * Creates the thread without starting it.
   *
   * @param round one round; it returns when the wake-up is signalled
   * @param wake its wake-up; it stays the caller's
   */
  GuestThread(String name, Runnable round, EventFd wake) {
    this.round = round;
    this.wake = wake;
    thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
  }

  void start() {
    lock.lock();
    try {
      if (running || closing) {
        throw new IllegalStateException("the guest was started before");
      }
      running = true;
      parked = false;
      thread.start();
    } finally {
      lock.unlock();
    }
  }

  void pause(Deadline deadline) {
    lock.lock();
    try {
      pauseRequested = true;
      wake.signal();
      long nanos = deadline.remainingNanos();
      while (!parked && failure == null && !closing) {
        if (nanos <= 0) {
          pauseRequested = false;
          changed.signalAll();
          throw new VhostException(
              "pausing the guest: it reached no safe point within " + deadline.allowed(),
              Recovery.RETRY);
        }
        nanos = changed.awaitNanos(nanos);
      }
      throwFailure();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new VhostException("pausing the guest: interrupted", Recovery.RETRY, e);
    } finally {
      lock.unlock();
    }
  }

  void resume() {
    lock.lock();
    try {
      throwFailure();
      pauseRequested = false;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  boolean parked() {
    lock.lock();
    try {
      return parked;
    } finally {
      lock.unlock();
    }
  }

  /** Runs work at a safe point and returns its result. */
  <T> T atSafePoint(String what, Callable<T> work, Deadline deadline) {
    FutureTask<T> task = new FutureTask<>(work);
    lock.lock();
    try {
      throwFailure();
      if (parked) {
        task.run();
      } else {
        tasks.add(task);
        wake.signal();
      }
    } finally {
      lock.unlock();
    }
    try {
      return task.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException thrown) {
        throw thrown;
      }
      throw new VhostException(what + ": " + e.getCause(), Recovery.GIVE_UP, e.getCause());
    } catch (TimeoutException e) {
      task.cancel(false);
      throw new VhostException(what + ": not within " + deadline.allowed(), Recovery.RETRY, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new VhostException(what + ": interrupted", Recovery.RETRY, e);
    }
  }

  void close(Deadline deadline) {
    boolean started;
    lock.lock();
    try {
      closing = true;
      started = running;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    if (!started) {
      return;
    }
    wake.signal();
    boolean ended;
    try {
      ended = thread.join(Duration.ofNanos(Math.max(1, deadline.remainingNanos())));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      ended = false;
    }
    if (!ended) {
      throw new VhostException("closing the guest: its thread goes on running", Recovery.GIVE_UP);
    }
  }

  private void run() {
    try {
      while (safePoint()) {
        round.run();
      }
    } catch (RuntimeException e) {
      lock.lock();
      try {
        failure = e;
      } finally {
        lock.unlock();
      }
    } finally {
      lock.lock();
      try {
        parked = true;
        tasks.forEach(task -> task.cancel(false));
        tasks.clear();
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Returns false if the thread has to end. */
  private boolean safePoint() {
    while (true) {
      FutureTask<?> task;
      lock.lock();
      try {
        task = tasks.poll();
        if (task == null) {
          while (pauseRequested && !closing) {
            parked = true;
            changed.signalAll();
            changed.awaitUninterruptibly();
          }
          parked = false;
          if (tasks.isEmpty()) {
            return !closing;
          }
          continue;
        }
      } finally {
        lock.unlock();
      }
      // Runs without the lock, because a task may wait for the device's owner, which may wait for a
      // pause.
      task.run();
    }
  }

  private void throwFailure() {
    if (failure != null) {
      throw new VhostException(
          "the guest stopped: " + failure.getMessage(), Recovery.GIVE_UP, failure);
    }
  }
}
