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
 * @param readsStatusAtEnd whether the status that is read at the end has to contain DRIVER_OK
 */
public record Plan(
    List<PlannedStep> steps,
    BackEndCapabilities capabilities,
    DeviceConfig.Lifecycle lifecycle,
    int generation,
    boolean readsStatusAtEnd) {

  /** Copies the list. */
  public Plan {
    steps = List.copyOf(steps);
  }

  /** {@return whether there is nothing to send} */
  public boolean isEmpty() {
    return steps.isEmpty();
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
