package io.github.jvhost.migration;

import java.util.ArrayList;
import java.util.List;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * The clock of one side of a migration. The times that it reads go into the side's report and, if a
 * flight recording runs, into its events:
 *
 * <pre>
 *   source        SETUP | ITERATE | STOP                                      | HAND_OVER | DONE
 *                                   pause | stop rings | last pages and states
 *   destination   SETUP | ITERATE | STOP | HAND_OVER                          | DONE
 *                                          restore | start | resume
 *                                          ^ the first final record
 * </pre>
 *
 * <p>Events of a stop window are recorded when it is over. For one thread.
 */
final class PhaseClock {
  private final String side;
  private final List<PhaseEvent> ended = new ArrayList<>();
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
    part = null; // the time after the last part is not recorded
  }

  private @Nullable PhaseEvent beginning(long nanos) {
    if (!FlightRecorder.isInitialized()) {
      return null;
    }
    PhaseEvent event = new PhaseEvent();
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
    ended.forEach(PhaseEvent::commit);
    ended.clear();
  }
}
