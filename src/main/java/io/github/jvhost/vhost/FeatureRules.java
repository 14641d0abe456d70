package io.github.jvhost.vhost;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;

/**
 * What a set of protocol features must look like before it is acknowledged; a back end closes the
 * connection on some of what breaks this, and misunderstands the rest.
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
 * drains (vhost-user, "Front-end message types", 11 and 45). Whoever wrote a back end after the
 * older text would suspend, and a migration of this front end counts on a drained ring.
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

  /** What is left of these bits when all that breaks the rules is dropped. */
  static long keep(long chosen, Dialect dialect) {
    long upstream = chosen & ~dialect.presetupMask() & ~ProtocolFeature.XEN_MMAP.mask();
    // What is dropped may be what something else needs: until nothing more goes.
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

  /** What is wrong with these bits; empty: nothing. */
  static String broken(long features, Dialect dialect) {
    long masked = features & dialect.maskedProtocolFeatures() & ~dialect.presetupMask();
    if (masked != 0) {
      return "%s is masked in the dialect %s"
          .formatted(ProtocolFeature.describe(masked), dialect.name());
    }
    // PRESETUP may sit on a bit that means something else upstream.
    long upstream = features & ~dialect.presetupMask();
    if (ProtocolFeature.XEN_MMAP.isIn(upstream)) {
      return "XEN_MMAP changes the layout of memory regions, and is not spoken";
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
