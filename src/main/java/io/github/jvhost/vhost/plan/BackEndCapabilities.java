package io.github.jvhost.vhost.plan;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;

/**
 * What one connected back end can do: what was negotiated with it, and what its profile knows.
 *
 * @param features that it offered (virtio's and vhost's)
 * @param protocolFeatures that were acknowledged
 * @param maxQueuePairs that it serves
 * @param memorySlots how many memory regions it takes one by one; 0: it takes a table of at most
 *     eight regions
 * @param dialect the message numbers that the connection uses
 * @param profile what is known of it beyond the wire
 */
public record BackEndCapabilities(
    long features,
    long protocolFeatures,
    int maxQueuePairs,
    int memorySlots,
    Dialect dialect,
    BackEndProfile profile) {

  /**
   * A back end that is sent guest memory as one table.
   *
   * @param features that it offered (virtio's and vhost's)
   * @param protocolFeatures that were acknowledged, without CONFIGURE_MEM_SLOTS
   * @param maxQueuePairs that it serves
   * @param dialect the message numbers that the connection uses
   * @param profile what is known of it beyond the wire
   */
  public BackEndCapabilities(
      long features,
      long protocolFeatures,
      int maxQueuePairs,
      Dialect dialect,
      BackEndProfile profile) {
    this(features, protocolFeatures, maxQueuePairs, 0, dialect, profile);
  }

  /**
   * {@return whether a protocol feature was negotiated, in its upstream meaning} A feature that the
   * dialect masks is never negotiated, even where PRESETUP uses its bit.
   *
   * @param feature any
   */
  public boolean has(ProtocolFeature feature) {
    return feature.isIn(protocolFeatures & ~dialect.maskedProtocolFeatures());
  }

  /** {@return whether the back end knows of the virtio status byte} */
  public boolean hasStatus() {
    return has(ProtocolFeature.STATUS);
  }

  /** {@return whether single requests can be acknowledged} */
  public boolean hasReplyAck() {
    return has(ProtocolFeature.REPLY_ACK);
  }

  /** {@return whether rings are switched one by one; without it SET_FEATURES enables them all} */
  public boolean hasRingEnable() {
    return (features & VhostFeature.PROTOCOL_FEATURES) != 0;
  }

  /** {@return whether the back end can log the pages that it writes} */
  public boolean canLog() {
    return (features & VhostFeature.LOG_ALL) != 0 && has(ProtocolFeature.LOG_SHMFD);
  }

  /** {@return whether memory is sent region by region and not as a table} */
  public boolean hasMemorySlots() {
    return has(ProtocolFeature.CONFIGURE_MEM_SLOTS);
  }

  /** {@return how many memory regions it takes} */
  public int maxMemoryRegions() {
    return hasMemorySlots() ? memorySlots : MemoryTablePayload.MAX_REGIONS;
  }

  /** {@return whether the back end can be sent the guest's MTU} */
  public boolean hasMtu() {
    return has(ProtocolFeature.MTU);
  }

  /** {@return whether the back end can record its requests in flight in a region} */
  public boolean hasInflightRegion() {
    return has(ProtocolFeature.INFLIGHT_SHMFD);
  }

  /** {@return whether the back end takes the byte order of a legacy driver's rings} */
  public boolean hasRingOrder() {
    return has(ProtocolFeature.CROSS_ENDIAN);
  }

  /** {@return whether the device can be reset by one step} */
  public boolean hasReset() {
    return has(ProtocolFeature.RESET_DEVICE);
  }

  /** {@return whether the back end has a state of its own, which can be saved and loaded} */
  public boolean hasOwnState() {
    return has(ProtocolFeature.DEVICE_STATE);
  }

  /** {@return whether kicks and calls go as messages} */
  public boolean notifiesInBand() {
    return has(ProtocolFeature.INBAND_NOTIFICATIONS);
  }

  /** {@return whether ring and user addresses are sent as guest addresses} */
  public boolean usesGuestAddresses() {
    return has(ProtocolFeature.GPA_ADDRESSES);
  }

  /** {@return whether explicit presetup was negotiated} It needs the status byte too. */
  public boolean hasPresetup() {
    return hasStatus() && dialect.hasPresetup() && (protocolFeatures & dialect.presetupMask()) != 0;
  }

  /**
   * {@return whether the back end touches no ring before DRIVER_OK} PRESETUP requires this of a
   * back end. Of any other back end the profile says it.
   */
  public boolean holdsRingsUntilDriverOk() {
    return hasStatus() && (hasPresetup() || profile.holdsRingsUntilDriverOk());
  }
}
