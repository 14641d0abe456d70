package io.github.jvhost.testkit.preview;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.user.StepMessage;

/**
 * What a plan costs on a vhost-user connection if it succeeds: a message for each step, and the
 * barrier behind them. It counts the messages that an execution would send, without sending them. A
 * back end of the kernel is sent no messages: its steps are counted, and nothing is awaited.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param messages how many messages are sent to the back end, the barrier included
 * @param replies how many replies are awaited, the barrier's included
 */
public record PlanPreviewTraffic(int messages, int replies) {

  /**
   * Counts a plan's messages. Assumes that a back end that is asked for an in-flight region has
   * one.
   *
   * @param plan the plan; its descriptors may be closed
   * @return what it costs; nothing if the plan is empty
   */
  public static PlanPreviewTraffic of(Plan plan) {
    if (!(plan.capabilities().protocol() instanceof BackEndProtocol.VhostUser)) {
      return new PlanPreviewTraffic(plan.steps().size(), 0); // done when the system call returns
    }
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
      return FrontEndRequest
          .SET_INFLIGHT_FD; // its region may be known only when the plan is carried out
    }
    // A base that is sent again may be known only then, too; its value does not matter here.
    return StepMessage.of(step, 0, null, capabilities.usesGuestAddresses()).request();
  }
}
