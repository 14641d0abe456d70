package io.github.jvhost.vhost.plan;

import java.util.List;

/**
 * The steps that take a back end from what it holds to what it should hold. Immutable; it can be
 * printed, compared and counted without any socket.
 *
 * @param steps in the order in which they are sent
 * @param capabilities of the back end for which it was made
 * @param lifecycle of the configuration that it leads to
 * @param generation of the early configuration that it leads to, 0 for none
 * @param end the question with which it ends
 */
public record Plan(
    List<PlannedStep> steps,
    BackEndCapabilities capabilities,
    DeviceConfig.Lifecycle lifecycle,
    int generation,
    End end) {

  /** The question with which a plan ends. It is no step: it changes nothing. */
  public enum End {
    /**
     * None. A device that stops has answered where its rings are, and nobody waits for the reset
     * that follows.
     */
    NOTHING,
    /** A barrier: the answer comes after all work before it. */
    BARRIER,
    /** A barrier that reads the status, in which DRIVER_OK has to be set. */
    DRIVER_OK
  }

  /** Copies the list. */
  public Plan {
    steps = List.copyOf(steps);
  }

  /** {@return whether there is nothing to send} */
  public boolean isEmpty() {
    return steps.isEmpty();
  }

  /** {@return whether the status that is read at the end has to contain DRIVER_OK} */
  public boolean readsStatusAtEnd() {
    return end == End.DRIVER_OK;
  }

  /**
   * {@return the same steps, without the question at the end} Those steps that ask for an
   * acknowledgement still do.
   */
  public Plan withoutBarrier() {
    return new Plan(steps, capabilities, lifecycle, generation, End.NOTHING);
  }

  /** {@return whether this plan starts a ring again where the same plan has stopped it} */
  public boolean goesOnWhereARingStops() {
    return steps.stream().anyMatch(s -> s.step() instanceof Step.ResumeRing);
  }

  /** {@return the plan as text, one line a step, each with its line end} */
  public String describe() {
    var text = new StringBuilder();
    for (PlannedStep step : steps) {
      text.append(step.describe()).append('\n');
    }
    return text.toString();
  }

  /** {@return the number of steps and the lifecycle; {@link #describe} has the steps} */
  @Override
  public String toString() {
    return "%d steps to %s".formatted(steps.size(), lifecycle);
  }
}
