package io.github.jvhost.vhost.plan;

import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/**
 * A plan that is being carried out, made by a {@link Carrier}. One thread drives many of them:
 * {@link #advance} sends what can be sent, reads what has come, and never waits, neither for an
 * answer nor for room to send.
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
   * Sends what can be sent without another answer, as far as there is room, and reads the answers
   * that are there.
   *
   * @param ready whether the descriptor may be ready; false if a poll since the last call has found
   *     that it is not. Before the first call something may have come that answers nothing
   * @return whether the plan is finished, with success or with a failure
   */
  boolean advance(boolean ready);

  /**
   * Replaces the base of a step. Allowed only before the first {@link #advance}.
   *
   * @param step index in the plan, from 0, of a step that sets {@link Fact#BASE}
   * @param base in the wire's encoding
   */
  void base(int step, int base);

  /**
   * {@return the descriptor to poll for input until {@link #advance} returns true; -1 if the
   * connection was closed on this side}
   */
  int number();

  /**
   * {@return whether there was no room for a part, so that {@link #number} is polled for output
   * too}
   */
  default boolean waitsForRoom() {
    return false;
  }

  /**
   * {@return the descriptor of the back end's own channel, to poll for input as well; -1 if there
   * is none} The back end may wait for an answer there before it answers here.
   */
  default int backEndNumber() {
    return -1;
  }

  /** Serves what was found on {@link #backEndNumber}. */
  default void serveBackEnd() {}

  /**
   * {@return how long the oldest outstanding answer, or the sending of what is left, may still
   * take, in nanoseconds; 0 once it is overdue or the connection has failed, {@link Long#MAX_VALUE}
   * when neither is awaited} After 0, {@link #advance} ends the plan.
   *
   * @param now {@link System#nanoTime}
   */
  default long nanosToDeadline(long now) {
    return Long.MAX_VALUE;
  }

  /**
   * Ends the plan with this failure, because no more answers will come. Does nothing if the plan
   * has ended already.
   *
   * @param failure why; if the plan had failed before, that failure counts instead
   */
  void abandon(VhostException failure);

  /** {@return why the plan was not completed; null if it was, or if it is not finished} */
  @Nullable VhostException failure();

  /** {@return the plan that this carries out, with the bases that were replaced} */
  Plan plan();

  /**
   * {@return the outcome of the plan}
   *
   * @throws IllegalStateException if it is not finished
   */
  Outcome outcome();

  /**
   * Writes the outcome to a flight recording, if one runs. Call this once, after the transition.
   *
   * @param outcome of this execution
   */
  default void record(Outcome outcome) {}
}
