package io.github.jvhost.vhost.kernel;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread on which a device is opened, asked and told, and the eventfd that says when that is
 * done. A system call cannot be interrupted: if it is late, the thread is left behind with it.
 */
final class DeviceThread {
  private static final Logger log = LoggerFactory.getLogger(DeviceThread.class);
  private static final Duration CLOSE_WITHIN = Duration.ofSeconds(10);

  private final BlockingQueue<Runnable> work = new LinkedBlockingQueue<>();
  private final EventFd done;
  private final Thread thread;

  /** Nobody waits for this thread any more. What it is at ends soon, and it closes the device. */
  private volatile boolean leftBehind;

  private volatile boolean ended;

  DeviceThread(String name, DescriptorLedger ledger) {
    done = EventFd.create(ledger, name + " plan done");
    thread = Thread.ofPlatform().daemon().name(name + " ioctls").start(this::run);
  }

  private void run() {
    while (!ended) {
      try {
        work.take().run();
      } catch (InterruptedException e) {
        // Nobody interrupts it on purpose, and it has to close the device.
      } catch (RuntimeException | Error e) {
        log.error("{}: an error on the device's thread, which goes on", thread.getName(), e);
      }
    }
  }

  /** Whether somebody gave up while work of this thread had not returned. */
  boolean leftBehind() {
    return leftBehind;
  }

  /** A plan on this thread. */
  Execution execution(Turn turn, String name, Deadline deadline) {
    return new Threaded(turn, name, deadline);
  }

  /**
   * Asks something on this thread, and waits for the answer, also if the caller is interrupted.
   *
   * @param doing what, for errors: "open /dev/vhost-vdpa-0"
   * @throws DeadlineException if there is none by then: the thread is left behind
   */
  <T> T ask(String doing, Supplier<T> question, Deadline deadline) {
    CompletableFuture<T> answer =
        CompletableFuture.supplyAsync(
            question,
            asked ->
                work.add(() -> {
                  asked.run();
                  done.signal();
                }));
    while (!answer.isDone()) {
      if (done.await(deadline) == 0 && !answer.isDone()) {
        leftBehind = true;
        throw late(doing, deadline);
      }
    }
    try {
      return answer.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException known
          ? known
          : new VhostException(doing + ": " + e.getCause(), Recovery.RECONNECT, e);
    }
  }

  private static DeadlineException late(String doing, Deadline deadline) {
    return new DeadlineException(
        "%s: not done within %s: the kernel has not returned, or memory is being mapped still; its thread is left behind, and the device cannot be opened before it has closed it"
            .formatted(doing, deadline));
  }

  /** Runs the last work, and ends the thread. Waits, unless the thread was left behind. */
  void end(Runnable last) {
    work.add(() -> {
      ended = true;
      try {
        last.run();
      } finally {
        done.close();
      }
    });
    if (!leftBehind) {
      leftBehind = !awaitEnd(Deadline.after(CLOSE_WITHIN));
    }
  }

  /**
   * Waits until the device is closed, which cannot be opened before. Waits also if the caller is
   * interrupted.
   *
   * @return whether it is
   */
  boolean awaitEnd(Deadline deadline) {
    boolean interrupted = false;
    boolean joined = false;
    while (!joined && !deadline.expired()) {
      try {
        joined = thread.join(Duration.ofNanos(Math.max(1, deadline.remainingNanos())));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return joined;
  }

  /** A turn that the thread takes. */
  private final class Threaded implements Execution {
    private final Turn turn;
    private final String name;
    private final Deadline deadline;
    private boolean begun;
    private volatile boolean finished;

    /** Why the turn was given up; its thread may still be in it. */
    private @Nullable VhostException abandoned;

    Threaded(Turn turn, String name, Deadline deadline) {
      this.turn = turn;
      this.name = name;
      this.deadline = deadline;
    }

    @Override
    public boolean advance(boolean ready) {
      if (abandoned != null) {
        return true;
      }
      if (!begun) {
        begun = true;
        work.add(() -> {
          try {
            turn.advance(true);
          } finally {
            finished = true;
            done.signal();
          }
        });
        return false;
      }
      if (ready) {
        // Also the signal of the plan before, which comes behind its end: it must not come again.
        done.drain();
      }
      if (!finished && deadline.expired()) {
        abandon(late(name, deadline));
        return true;
      }
      return finished;
    }

    @Override
    public void base(int step, int base) {
      turn.base(step, base);
    }

    @Override
    public int number() {
      return done.descriptor().number();
    }

    @Override
    public long nanosToDeadline(long now) {
      return deadline.remainingNanos(now);
    }

    @Override
    public void abandon(VhostException why) {
      if (!begun) {
        turn.abandon(why);
        begun = true;
        finished = true;
      } else if (!finished && abandoned == null) {
        abandoned = why;
        leftBehind = true;
      }
    }

    @Override
    public @Nullable VhostException failure() {
      return abandoned != null ? abandoned : finished ? turn.failure() : null;
    }

    @Override
    public Plan plan() {
      return turn.plan();
    }

    @Override
    public Outcome outcome() {
      VhostException why = abandoned;
      // How far a turn got that was left behind is not known: all of it may have been sent.
      return why == null ? turn.outcome() : turn.unknownOutcome(why);
    }
  }
}
