package io.github.jvhost.vhost.user;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;

/**
 * The rules for a set of protocol features that is acknowledged. If a rule is broken, a back end
 * closes the connection or misunderstands messages.
 *
 * <pre>
 *   INBAND_NOTIFICATIONS        with BACKEND_REQ and REPLY_ACK only
 *   GET_VRING_BASE_INFLIGHT     with INFLIGHT_SHMFD and GET_VRING_BASE_SKIP_DRAIN only
 *   GET_VRING_BASE_SKIP_DRAIN   with INFLIGHT_SHMFD and GET_VRING_BASE_INFLIGHT only
 *   XEN_MMAP                    never: this front end sends regions of 32 bytes
 *   what the dialect masks      never in its upstream meaning
 * </pre>
 *
 * <p>GET_VRING_BASE_INFLIGHT alone once let GET_VRING_BASE suspend requests in place of draining
 * them. The protocol describes it with GET_VRING_BASE_SKIP_DRAIN only now, and GET_VRING_BASE
 * drains (vhost-user, "Front-end message types", 11 and 45). A back end that was written after the
 * older text would suspend, but a migration of this front end needs a drained ring.
 */
final class FeatureRules {
  private record Needs(ProtocolFeature feature, long others) {}

  private static final Needs[] NEEDS = {
    new Needs(
        ProtocolFeature.INBAND_NOTIFICATIONS,
        ProtocolFeature.maskOf(ProtocolFeature.BACKEND_REQ, ProtocolFeature.REPLY_ACK)),
    new Needs(
        ProtocolFeature.GET_VRING_BASE_INFLIGHT,
        ProtocolFeature.maskOf(
            ProtocolFeature.INFLIGHT_SHMFD, ProtocolFeature.GET_VRING_BASE_SKIP_DRAIN)),
    new Needs(
        ProtocolFeature.GET_VRING_BASE_SKIP_DRAIN,
        ProtocolFeature.maskOf(
            ProtocolFeature.GET_VRING_BASE_INFLIGHT, ProtocolFeature.INFLIGHT_SHMFD)),
  };

  private FeatureRules() {}

  /** Returns these bits without those that break a rule. */
  static long keep(long chosen, Dialect dialect) {
    long upstream = chosen & ~dialect.presetupMask() & ~ProtocolFeature.XEN_MMAP.mask();
    // Another bit may need a bit that was dropped, so this repeats until nothing changes.
    for (long before = 0; before != upstream; ) {
      before = upstream;
      for (Needs needs : NEEDS) {
        if ((needs.others & ~upstream) != 0) {
          upstream &= ~needs.feature.mask();
        }
      }
    }
    return upstream | (chosen & dialect.presetupMask());
  }

  /** Which rule these bits break; empty if none. */
  static String broken(long features, Dialect dialect) {
    long masked = features & dialect.maskedProtocolFeatures() & ~dialect.presetupMask();
    if (masked != 0) {
      return "%s is masked in the dialect %s"
          .formatted(ProtocolFeature.describe(masked), dialect.name());
    }
    // PRESETUP may use a bit that means something else upstream.
    long upstream = features & ~dialect.presetupMask();
    if (ProtocolFeature.XEN_MMAP.isIn(upstream)) {
      return "XEN_MMAP changes the layout of memory regions, and is not supported";
    }
    for (Needs needs : NEEDS) {
      long missing = needs.others & ~upstream;
      if (needs.feature.isIn(upstream) && missing != 0) {
        return "%s needs %s".formatted(needs.feature, ProtocolFeature.describe(missing));
      }
    }
    return "";
  }
}
