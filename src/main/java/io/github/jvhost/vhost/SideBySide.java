package io.github.jvhost.vhost;

import io.github.jvhost.channel.DeadlineException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.Poller;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Carries out the plans of many devices from one thread: tells all of them, then takes answers as
 * they come. A device that fails does not keep the others from finishing. One that takes in nothing
 * at all can, until the deadline: sending waits for room in its socket.
 *
 * <pre>
 *   device 0   tell tell tell barrier ............ answer
 *   device 1                          tell tell barrier ...... answer
 *                                                  (hardware works on both at once)
 * </pre>
 */
public final class SideBySide {
  private SideBySide() {}

  /** How often a run that can be cancelled looks whether it was. */
  private static final long CANCEL_SLICE_NANOS = 10_000_000;

  /** {@link #run(List, Deadline, BooleanSupplier)} for what nobody cancels. */
  public static void run(List<? extends Execution> executions, Deadline deadline) {
    run(executions, deadline, null);
  }

  /**
   * Returns once every execution is finished, or the deadline has passed and what was left has been
   * abandoned.
   *
   * @param executions begun, one a connection
   * @param deadline for all of them
   * @param cancelled looked at every 10 ms: whether to abandon what is left before that; null:
   *     never
   */
  public static void run(
      List<? extends Execution> executions,
      Deadline deadline,
      @Nullable BooleanSupplier cancelled) {
    boolean[] done = new boolean[executions.size()];
    int left = 0;
    for (int i = 0; i < done.length; i++) {
      done[i] = executions.get(i).advance(false);
      left += done[i] ? 0 : 1;
    }
    if (left == 0) {
      return;
    }
    try (var poller = new Poller(2 * executions.size())) {
      int[] slots = new int[2 * done.length];
      while (left > 0) {
        long slice = cancelled == null ? Long.MAX_VALUE : CANCEL_SLICE_NANOS;
        poller.clear();
        for (int i = 0; i < done.length; i++) {
          Execution e = executions.get(i);
          int backEnd = done[i] ? -1 : e.backEndNumber();
          slots[2 * i] = done[i] ? -1 : poller.add(e.number(), Poller.IN);
          slots[2 * i + 1] = backEnd < 0 ? -1 : poller.add(backEnd, Poller.IN);
          slice = done[i] ? slice : Math.min(slice, e.nanosToDeadline());
        }
        poller.await(Math.max(0, Math.min(slice, deadline.remainingNanos())));
        for (int i = 0; i < done.length; i++) {
          Execution e = executions.get(i);
          if (slots[2 * i + 1] >= 0 && poller.ready(slots[2 * i + 1]) != 0) {
            e.serveBackEnd();
          }
          boolean due = !done[i] && (poller.ready(slots[2 * i]) != 0 || e.nanosToDeadline() <= 0);
          if (due && e.advance(true)) {
            done[i] = true;
            left--;
          }
        }
        boolean over = deadline.expired() || (cancelled != null && cancelled.getAsBoolean());
        if (left > 0 && over) {
          abandon(executions, done, deadline);
          return;
        }
      }
    }
  }

  private static void abandon(
      List<? extends Execution> executions, boolean[] done, Deadline deadline) {
    String when =
        deadline.expired()
            ? "within %d ms".formatted(deadline.allowed().toMillis())
            : "before it was given up";
    for (int i = 0; i < done.length; i++) {
      if (!done[i]) {
        Execution late = executions.get(i);
        late.abandon(
            new DeadlineException(
                "%d steps were told and not all were answered %s"
                    .formatted(late.plan().steps().size(), when)));
      }
    }
  }
}
