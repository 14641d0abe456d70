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
 * @param memorySlots memory regions that it takes one by one; 0: it takes a table of at most eight
 * @param dialect in which it is spoken to
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
   * One that is told its memory as a table.
   *
   * @param features that it offered (virtio's and vhost's)
   * @param protocolFeatures that were acknowledged, without CONFIGURE_MEM_SLOTS
   * @param maxQueuePairs that it serves
   * @param dialect in which it is spoken to
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
   * {@return whether a protocol feature was negotiated, in its upstream meaning} One that the
   * dialect masks never is, though PRESETUP may have its bit.
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

  /** {@return whether memory is told region by region and not as a table} */
  public boolean hasMemorySlots() {
    return has(ProtocolFeature.CONFIGURE_MEM_SLOTS);
  }

  /** {@return how many memory regions it takes} */
  public int maxMemoryRegions() {
    return hasMemorySlots() ? memorySlots : MemoryTablePayload.MAX_REGIONS;
  }

  /** {@return whether kicks and calls go as messages} */
  public boolean notifiesInBand() {
    return has(ProtocolFeature.INBAND_NOTIFICATIONS);
  }

  /** {@return whether ring and user addresses are told as guest addresses} */
  public boolean usesGuestAddresses() {
    return has(ProtocolFeature.GPA_ADDRESSES);
  }

  /** {@return whether an explicit early set-up was negotiated} It needs the status byte too. */
  public boolean hasPresetup() {
    return hasStatus() && dialect.hasPresetup() && (protocolFeatures & dialect.presetupMask()) != 0;
  }

  /**
   * {@return whether no ring is touched before DRIVER_OK} A back end with PRESETUP holds them by
   * that message's definition; any other needs a profile that knows.
   */
  public boolean holdsRingsUntilDriverOk() {
    return hasStatus() && (hasPresetup() || profile.holdsRingsUntilDriverOk());
  }
}
