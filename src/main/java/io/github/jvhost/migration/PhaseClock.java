package io.github.jvhost.migration;

import java.util.ArrayDeque;
import java.util.Queue;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * The clock of one side of a migration. The times that it reads go into the side's report and,
 * where a flight recording runs, into its events:
 *
 * <pre>
 *   source        SETUP | ITERATE | STOP                                      | HAND_OVER | DONE
 *                                   pause | stop rings | last pages and states
 *   destination   SETUP | ITERATE | STOP | HAND_OVER                          | DONE
 *                                          restore | start | resume
 *                                          ^ the first final record
 * </pre>
 *
 * <p>Events of a stop window are recorded when it is over. In the window this makes no object,
 * recorded or not, unless the recording began after the migration. For one thread.
 */
final class PhaseClock {
  /** Five phases, at most three parts in one, and one more of each that is just beginning. */
  private static final int AT_ONCE = 12;

  private final String side;
  private final Queue<PhaseEvent> free = new ArrayDeque<>(AT_ONCE + 1);
  private final Queue<PhaseEvent> ended = new ArrayDeque<>(AT_ONCE + 1);
  private Phase now = Phase.SETUP;
  private @Nullable PhaseEvent phase;
  private @Nullable PhaseEvent part;

  /**
   * Of one side.
   *
   * @param side source or destination
   */
  PhaseClock(String side) {
    this.side = side;
    if (FlightRecorder.isInitialized()) {
      for (int i = 0; i < AT_ONCE; i++) {
        free.add(new PhaseEvent());
      }
    }
  }

  /**
   * A phase begins, and the one before is over.
   *
   * @return now ({@link System#nanoTime})
   */
  long enter(Phase next) {
    return enter(next, System.nanoTime());
  }

  /** The same at a time that was read already. */
  long enter(Phase next, long nanos) {
    endPhase(nanos);
    now = next;
    phase = beginning(nanos);
    part = beginning(nanos);
    if (next != Phase.HAND_OVER) {
      commit(); // on the destination that is the middle of its window
    }
    return nanos;
  }

  /**
   * A part of the phase is over, and with it begins the next.
   *
   * @param name of the part that is over
   * @return now ({@link System#nanoTime})
   */
  long endPart(String name) {
    return endPart(name, System.nanoTime());
  }

  /** The same at a time that was read already. */
  long endPart(String name, long nanos) {
    end(part, name, nanos);
    part = beginning(nanos);
    return nanos;
  }

  /**
   * The migration is over.
   *
   * @param failure null: it went well
   */
  void end(@Nullable String failure) {
    if (phase != null) {
      phase.failure = failure;
    }
    endPhase(System.nanoTime());
    commit();
  }

  private void endPhase(long nanos) {
    end(phase, null, nanos);
    phase = null;
    if (part != null) {
      free.add(part); // of what comes behind the last part nobody wants to know
      part = null;
    }
  }

  private @Nullable PhaseEvent beginning(long nanos) {
    if (!FlightRecorder.isInitialized()) {
      return null;
    }
    PhaseEvent there = free.poll();
    PhaseEvent event = there == null ? new PhaseEvent() : there;
    event.begins(side, now, nanos);
    return event;
  }

  private void end(@Nullable PhaseEvent event, @Nullable String name, long nanos) {
    if (event != null) {
      event.ends(name, nanos);
      ended.add(event);
    }
  }

  private void commit() {
    for (PhaseEvent event = ended.poll(); event != null; event = ended.poll()) {
      event.commit();
      free.add(event);
    }
  }
}
