package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import org.jspecify.annotations.Nullable;

/**
 * A plan on its way. Made for one thread that drives many devices: {@link #advance} sends what can
 * be sent and takes what has come, and never waits for an answer.
 */
interface Execution {
  /**
   * Sends as far as it can without an answer, then takes the answers that are there.
   *
   * @param readable whether the descriptor was found readable since the last call
   * @return whether the plan is finished, well or not
   */
  boolean advance(boolean readable);

  /**
   * {@return the descriptor to poll for input while {@link #advance} says that it is not finished}
   */
  int number();

  /**
   * {@return the descriptor of the back end's own channel, to poll for input as well; -1: there is
   * none} The back end may be waiting for us before it answers.
   */
  default int backEndNumber() {
    return -1;
  }

  /** Serves what was found on {@link #backEndNumber}. */
  default void serveBackEnd() {}

  /**
   * {@return how long the oldest outstanding answer may still take, in nanoseconds; 0 once it is
   * overdue, {@link Long#MAX_VALUE} when none is awaited} After that {@link #advance} ends the
   * plan.
   *
   * @param now {@link System#nanoTime}
   */
  default long nanosToDeadline(long now) {
    return Long.MAX_VALUE;
  }

  /**
   * Whatever is still missing will not come: the plan ends here, with this failure.
   *
   * @param failure why; one that came before it counts instead
   */
  void abandon(VhostException failure);

  /** {@return why it was not carried out whole; null: it was, or it is not finished} */
  @Nullable VhostException failure();

  /** {@return the plan of which this is the execution} */
  Plan plan();

  /** {@return what became of it} Only once it is finished. */
  Outcome outcome();

  /**
   * Writes to a flight recording what became of it; nothing where none runs. Once, after a stop
   * window.
   *
   * @param outcome of this execution
   */
  default void record(Outcome outcome) {}
}
