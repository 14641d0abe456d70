package io.github.jvhost.mediate;

import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.virtio.NetFeature;

/**
 * What the mediator offers the front end: what the switch offers, without what only the two of them
 * could do without a mediator, and with the status byte, which the mediator keeps itself.
 *
 * @param features virtio's and vhost's
 * @param protocolFeatures the bits that the front end may acknowledge
 * @param queuePairs the most that the switch serves
 */
record Offer(long features, long protocolFeatures, int queuePairs) {
  /**
   * Protocol features that are used towards the switch and, if it has them, offered to the front
   * end.
   */
  static final long PASSED_ON =
      ProtocolFeature.maskOf(
          ProtocolFeature.MQ, ProtocolFeature.LOG_SHMFD, ProtocolFeature.RARP, ProtocolFeature.MTU);

  /** Protocol features of the connection to the switch. */
  static final long TO_THE_SWITCH =
      PASSED_ON
          | ProtocolFeature.maskOf(
              ProtocolFeature.REPLY_ACK, ProtocolFeature.INFLIGHT_SHMFD, ProtocolFeature.STATUS);

  /** Protocol features that the mediator has itself, whatever the switch has. */
  private static final long OWN =
      ProtocolFeature.maskOf(ProtocolFeature.REPLY_ACK, ProtocolFeature.STATUS);

  /**
   * Features that are not offered. With IOMMU_PLATFORM rings lie at addresses that only a channel
   * between the switch and the front end could translate. With RING_RESET one ring stops alone, and
   * the first GET_VRING_BASE would not stop the device.
   */
  private static final long WITHHELD = VhostFeature.IOMMU_PLATFORM | NetFeature.RING_RESET.mask();

  /** {@return the offer that a switch makes possible} */
  static Offer of(BackEndCapabilities theSwitch) {
    return new Offer(
        (theSwitch.features() & ~WITHHELD) | VhostFeature.PROTOCOL_FEATURES,
        (theSwitch.protocolFeatures() & PASSED_ON) | OWN,
        theSwitch.maxQueuePairs());
  }
}
