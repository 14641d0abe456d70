package io.github.jvhost.vhost;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;

/**
 * What one connected back end can do: what was negotiated with it, and what its profile knows.
 *
 * @param features that it offered (virtio's and vhost's)
 * @param protocolFeatures that were acknowledged
 * @param maxQueuePairs that it serves
 * @param dialect in which it is spoken to
 * @param profile what is known of it beyond the wire
 */
public record BackEndCapabilities(
    long features,
    long protocolFeatures,
    int maxQueuePairs,
    Dialect dialect,
    BackEndProfile profile) {

  /** Whether a protocol feature was negotiated. */
  public boolean has(ProtocolFeature feature) {
    return (protocolFeatures & feature.mask()) != 0;
  }

  /** Whether the back end knows of the virtio status byte. */
  public boolean hasStatus() {
    return has(ProtocolFeature.STATUS);
  }

  /** Whether single requests can be acknowledged. */
  public boolean hasReplyAck() {
    return has(ProtocolFeature.REPLY_ACK);
  }

  /** Whether rings are switched one by one; without it SET_FEATURES enables them all. */
  public boolean hasRingEnable() {
    return (features & VhostFeature.PROTOCOL_FEATURES) != 0;
  }

  /** Whether the back end can log the pages that it writes. */
  public boolean canLog() {
    return (features & VhostFeature.LOG_ALL) != 0 && has(ProtocolFeature.LOG_SHMFD);
  }

  /** Whether an explicit early set-up was negotiated. It needs the status byte too. */
  public boolean hasPresetup() {
    return hasStatus() && dialect.hasPresetup() && (protocolFeatures & dialect.presetupMask()) != 0;
  }

  /**
   * Whether no ring is touched before DRIVER_OK. A back end with PRESETUP holds them by that
   * message's definition; any other needs a profile that knows.
   */
  public boolean holdsRingsUntilDriverOk() {
    return hasStatus() && (hasPresetup() || profile.holdsRingsUntilDriverOk());
  }
}
