package io.github.jvhost.vhost;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.sys.Deadline;

/**
 * Plans as vhost-user messages.
 *
 * <p>Belongs to the thread that owns the channel.
 */
final class VhostUserOps implements VhostOps {
  private final VhostUserChannel channel;

  /**
   * Over one connection.
   *
   * @param channel negotiated; stays the caller's
   */
  VhostUserOps(VhostUserChannel channel) {
    this.channel = channel;
  }

  @Override
  public Execution begin(Plan plan, Deadline deadline) {
    return new VhostUserExecution(channel, plan, deadline);
  }
}
