package io.github.jvhost.vhost.plan;

import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/**
 * A plan on its way to a back end, made by a {@link Carrier}. One thread drives many of them:
 * {@link #advance} sends what can be sent and takes what has come, and never waits for an answer.
 *
 * <pre>
 *   begun --advance--&gt; under way --advance ... advance--&gt; finished --&gt; outcome
 *     +------------abandon----------+----------------------^
 * </pre>
 *
 * <p>One thread at a time.
 */
public interface Execution {
  /**
   * Sends as far as it can without an answer, then takes the answers that are there.
   *
   * @param readable whether the descriptor was found readable since the last call
   * @return whether the plan is finished, well or not
   */
  boolean advance(boolean readable);

  /**
   * Has a step say another base than the plan was made with; only before the first {@link
   * #advance}.
   *
   * @param step the place in the plan of a step that sets {@link Fact#BASE}, from 0
   * @param base in the wire's encoding
   */
  void base(int step, int base);

  /**
   * {@return the descriptor to poll for input while {@link #advance} says that it is not finished;
   * -1: the connection was closed on this side}
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
   * Whatever is still missing will not come: the plan ends here, with this failure. Nothing happens
   * where it has ended already.
   *
   * @param failure why; one that came before it counts instead
   */
  void abandon(VhostException failure);

  /** {@return why it was not carried out whole; null: it was, or it is not finished} */
  @Nullable VhostException failure();

  /** {@return the plan of which this is the execution, with the bases that it says} */
  Plan plan();

  /**
   * {@return what became of it}
   *
   * @throws IllegalStateException it is not finished
   */
  Outcome outcome();

  /**
   * Writes to a flight recording what became of it; nothing where none runs. Once, after the
   * transition.
   *
   * @param outcome of this execution
   */
  default void record(Outcome outcome) {}
}
