package io.github.jvhost.vhost;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.StoppedRings;

/**
 * Plans as vhost-user messages.
 *
 * <p>Belongs to the thread that owns the channel.
 */
final class VhostUserOps implements VhostOps {
  private final VhostUserChannel channel;
  private final StoppedRings rings;

  /**
   * Over one connection.
   *
   * @param channel negotiated; stays the caller's
   * @param rings says where a ring goes on that a plan stops and takes up again
   */
  VhostUserOps(VhostUserChannel channel, StoppedRings rings) {
    this.channel = channel;
    this.rings = rings;
  }

  @Override
  public ChannelExecution begin(Plan plan, Deadline deadline) {
    return new VhostUserExecution(channel, plan, deadline, rings);
  }
}
