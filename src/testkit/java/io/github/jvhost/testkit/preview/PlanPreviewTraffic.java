package io.github.jvhost.testkit.preview;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.user.StepMessage;

/**
 * What a plan costs on a vhost-user connection, if all goes well: a message for each step, and the
 * barrier behind them. Counted and not sent, with the same messages that an execution would send.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param messages that go to the back end, the barrier among them
 * @param replies that are awaited, the barrier's among them
 */
public record PlanPreviewTraffic(int messages, int replies) {

  /**
   * Counts. A back end that is asked for an in-flight region is taken to have one.
   *
   * @param plan its descriptors need not be open any more
   * @return what it costs; nothing where the plan is empty
   */
  public static PlanPreviewTraffic of(Plan plan) {
    // An empty plan needs no barrier; a stop ends with the answers that bring the bases.
    int barrier = plan.isEmpty() || plan.lifecycle().isStopped() ? 0 : 1;
    int replies = barrier;
    for (PlannedStep step : plan.steps()) {
      boolean answered =
          step.answer() != Answer.NONE
              || request(step.step(), plan.capabilities())
                  .explicitReply(plan.capabilities().protocolFeatures())
                  .isPresent();
      replies += answered ? 1 : 0;
    }
    return new PlanPreviewTraffic(plan.steps().size() + barrier, replies);
  }

  private static FrontEndRequest request(Step step, BackEndCapabilities capabilities) {
    if (step instanceof Step.ReturnInflight) {
      return FrontEndRequest.SET_INFLIGHT_FD; // its region may come only as the plan is carried out
    }
    // So does a base that is told again; which one it is does not matter here.
    return StepMessage.of(step, 0, null, capabilities.usesGuestAddresses()).request();
  }
}
