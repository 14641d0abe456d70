package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.user.VhostUserConnection;

/** A question that every back end answers once it has handled what came before. */
final class RoundTrip {
  private RoundTrip() {}

  /** For {@link VhostNet#ask}. */
  static long features(Carrier connection) {
    return ((VhostUserConnection) connection).frontEnd().getFeatures();
  }
}
