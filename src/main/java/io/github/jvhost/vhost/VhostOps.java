package io.github.jvhost.vhost;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Plan;

/**
 * How plans reach a back end. vhost-user is one way; kernel vhost and vhost-vdpa would be others.
 * One thread at a time.
 */
interface VhostOps {
  /**
   * Begins to carry out a plan. Nothing is sent yet.
   *
   * @param plan made for this back end
   * @param deadline for all of it, the last answer included
   * @return the plan on its way; {@link Execution#advance} sends its first message
   */
  Execution begin(Plan plan, Deadline deadline);
}
