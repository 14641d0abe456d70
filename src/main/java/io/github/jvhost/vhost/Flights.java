package io.github.jvhost.vhost;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Epoll;
import io.github.jvhost.vhost.plan.Execution;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Carries out the plans of many devices from one thread: sends all of them, then reads answers as
 * they come. Only one epoll waits, for answers of all devices and for room on the connections that
 * had too little. So a device that fails, or does not read its socket, neither stops nor delays the
 * others, also if one thread of a back end serves all of them and waits until its answers are read.
 *
 * <pre>
 *   device 0   send send send barrier ............ answer
 *   device 1                          send (no room) ...... send barrier ...... answer
 *                                                  (hardware works on both at once)
 * </pre>
 *
 * <p>The cost grows with messages and answers, not with devices that are only waited for. For one
 * thread at a time.
 */
final class Flights implements AutoCloseable {
  /** How often a run that can be cancelled checks whether it was. */
  private static final long CANCEL_SLICE_NANOS = 10_000_000;

  private final @Nullable Execution[] executions;
  private final boolean[] done;

  /** By key: whether epoll watches already, perhaps only for input. */
  private final boolean[] watched;

  /** Whether nothing had come on the device's connection before the run sent anything. */
  private final boolean[] quiet;

  private final Epoll epoll = new Epoll();
  private int left;

  /** The earliest time at which an awaited answer, or the sending of a plan, is overdue. */
  private long overdueAt;

  /**
   * Makes room for this many devices.
   *
   * @param devices 1 or more
   */
  Flights(int devices) {
    executions = new Execution[devices];
    done = new boolean[devices];
    watched = new boolean[2 * devices];
    quiet = new boolean[devices];
  }

  /**
   * Carries out executions. Returns when all are finished, or when the deadline has passed and the
   * others were abandoned.
   *
   * @param executions begun, one a connection
   * @param deadline for all of them
   */
  static void run(List<? extends Execution> executions, Deadline deadline) {
    try (var all = new Flights(executions.size())) {
      for (int i = 0; i < executions.size(); i++) {
        all.take(i, executions.get(i));
      }
      all.run(deadline, null);
    }
  }

  /**
   * Has an execution carried out by the next {@link #run(Deadline, BooleanSupplier)}.
   *
   * @param index below the number of devices
   * @param execution begun, on a connection of its own
   */
  void take(int index, Execution execution) {
    executions[index] = execution;
  }

  /**
   * Watches a device's connection before the run, because the run should not spend time on that.
   *
   * @param index below the number of devices
   * @param number of the connection that its execution will be on: {@link Execution#number}
   * @param backEndNumber of the back end's own channel; -1: there is none
   */
  void watchAhead(int index, int number, int backEndNumber) {
    watchKey(connection(index), number);
    watchKey(backEnd(index), backEndNumber);
  }

  private void watchKey(int key, int number) {
    if (number >= 0) {
      epoll.watch(number, key);
      watched[key] = true;
    }
  }

  /**
   * The device's execution is on another connection than the one that was watched before.
   *
   * @param index below the number of devices
   */
  void watchAnew(int index) {
    watched[connection(index)] = false;
    watched[backEnd(index)] = false;
  }

  /**
   * Carries out what was taken, as {@link #run(List, Deadline)} does.
   *
   * @param deadline for all of them
   * @param cancelled called every 10 ms: whether to abandon what is left; null: never
   */
  void run(Deadline deadline, @Nullable BooleanSupplier cancelled) {
    lookForEarlyInput();
    sendAll();
    while (left > 0) {
      long now = System.nanoTime();
      long nanos = Math.min(deadline.remainingNanos(now), overdueAt - now);
      if (cancelled != null) {
        nanos = Math.min(nanos, CANCEL_SLICE_NANOS);
      }
      int ready = epoll.await(nanos);
      for (int i = 0; i < ready; i++) {
        found(epoll.key(i));
      }
      if (left > 0) {
        endWhatIsLate(deadline, cancelled);
      }
    }
  }

  private void endWhatIsLate(Deadline deadline, @Nullable BooleanSupplier cancelled) {
    long now = System.nanoTime();
    if (now - overdueAt >= 0) {
      endWhatIsOverdue(now);
    }
    boolean over = deadline.remainingNanos(now) == 0;
    if (left > 0 && (over || (cancelled != null && cancelled.getAsBoolean()))) {
      abandonAll(deadline);
    }
  }

  /**
   * Finds out with one system call on which connections something has come already. It answers no
   * question of these plans. On the others the plan need not look for itself.
   */
  private void lookForEarlyInput() {
    boolean any = false;
    for (int i = 0; i < quiet.length; i++) {
      quiet[i] = watched[connection(i)];
      any |= quiet[i];
    }
    int ready = any ? epoll.await(0) : 0;
    while (ready > 0) {
      for (int i = 0; i < ready; i++) {
        int key = epoll.key(i);
        watched[key] = false; // it is reported again when it is watched again
        quiet[key / 2] = false;
      }
      ready = epoll.await(0); // one wait reports only so many
    }
  }

  private void sendAll() {
    left = 0;
    for (int i = 0; i < executions.length; i++) {
      Execution execution = executions[i];
      done[i] = execution == null || execution.advance(!quiet[i]);
      left += done[i] ? 0 : 1;
    }
    long now = System.nanoTime();
    overdueAt = now + Long.MAX_VALUE / 2;
    for (int i = 0; i < executions.length; i++) {
      Execution execution = executions[i];
      if (execution != null && !done[i]) {
        watch(i, execution);
        watchBackEnd(i, execution);
        noteDeadline(execution, now);
      }
    }
  }

  // Two keys a device: its connection, and the back end's own channel.

  private static int connection(int index) {
    return 2 * index;
  }

  private static int backEnd(int index) {
    return 2 * index + 1;
  }

  private void watch(int index, Execution execution) {
    int number = execution.number();
    if (number < 0) {
      closed(index, execution); // there is nothing to wait for
    } else if (!watched[connection(index)] || execution.waitsForRoom()) {
      epoll.watch(number, connection(index), execution.waitsForRoom());
      watched[connection(index)] = true;
    }
  }

  private void watchBackEnd(int index, Execution execution) {
    int number = execution.backEndNumber();
    if (!done[index] && !watched[backEnd(index)]) {
      watchKey(backEnd(index), number);
    }
  }

  private void found(int key) {
    int index = key / 2;
    Execution execution = executions[index];
    watched[key] = false;
    if (execution == null || done[index]) {
      return;
    }
    if (key == backEnd(index)) {
      execution.serveBackEnd();
      if (execution.number() < 0) {
        closed(index, execution); // the handler of a request has closed it
      } else {
        watchBackEnd(index, execution);
        goOn(index, execution); // the handler may have sent something
      }
    } else {
      progress(index, execution);
      goOn(index, execution);
    }
  }

  private void goOn(int index, Execution execution) {
    if (!done[index]) {
      watch(index, execution);
      noteDeadline(execution, System.nanoTime());
    }
  }

  private void progress(int index, Execution execution) {
    if (execution.advance(true)) {
      done[index] = true;
      left--;
    }
  }

  private void closed(int index, Execution execution) {
    execution.abandon(
        new VhostException("the connection was closed on this side", Recovery.RECONNECT));
    done[index] = true;
    left--;
  }

  private void noteDeadline(Execution execution, long now) {
    long nanos = execution.nanosToDeadline(now);
    if (nanos < overdueAt - now) {
      overdueAt = now + nanos;
    }
  }

  private void endWhatIsOverdue(long now) {
    overdueAt = now + Long.MAX_VALUE / 2;
    for (int i = 0; i < executions.length; i++) {
      Execution execution = executions[i];
      if (execution != null && !done[i]) {
        if (execution.nanosToDeadline(now) <= 0) {
          progress(i, execution);
        }
        if (!done[i]) {
          watch(i, execution);
          noteDeadline(execution, now);
        }
      }
    }
  }

  private void abandonAll(Deadline deadline) {
    String when =
        deadline.expired()
            ? "within %d ms".formatted(deadline.allowed().toMillis())
            : "before it was given up";
    for (int i = 0; i < executions.length; i++) {
      Execution late = executions[i];
      if (late != null && !done[i]) {
        late.abandon(
            new DeadlineException(
                (late.waitsForRoom()
                        ? "%d steps were to be sent, and the back end did not read all of them %s"
                        : "%d steps were sent and not all were answered %s")
                    .formatted(late.plan().steps().size(), when)));
        done[i] = true;
      }
    }
    left = 0;
  }

  /** Frees its resources. A second call does nothing. */
  @Override
  public void close() {
    Arrays.fill(executions, null);
    epoll.close();
  }
}
