package io.github.jvhost.virtio;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * Features and status of a live device: the offered features, the negotiated features, and the
 * progress of the driver.
 *
 * <pre>
 *   configured --limit(back end), withhold--> offered ---+
 *                                                        +--> agreed = offered and acknowledged
 *                             driver writes --> acknowledged
 *
 *   status:  ACKNOWLEDGE -> DRIVER -> FEATURES_OK (checked here) -> DRIVER_OK        0 = reset
 * </pre>
 */
final class Negotiation {
  private static final long NEED_CONTROL_QUEUE =
      NetFeature.maskOf(
          NetFeature.CTRL_RX,
          NetFeature.CTRL_VLAN,
          NetFeature.CTRL_RX_EXTRA,
          NetFeature.GUEST_ANNOUNCE,
          NetFeature.MQ,
          NetFeature.CTRL_MAC_ADDR);

  private final long configured;
  private long withheld;
  private long backEnd = -1;

  // The device's owner writes them. Any thread may read them, for the config space.
  private volatile long offered;
  private volatile long acknowledged;
  private volatile int status;

  Negotiation(long configured) {
    this.configured = configured;
    this.offered = configured;
  }

  /** A copy with the same configuration and limits, without the driver's state. */
  Negotiation resetCopy() {
    Negotiation copy = new Negotiation(configured);
    copy.withheld = withheld;
    copy.backEnd = backEnd;
    copy.offered = offered;
    return copy;
  }

  long offered() {
    return offered;
  }

  long agreed() {
    return acknowledged & offered;
  }

  int status() {
    return status;
  }

  boolean has(NetFeature feature) {
    return feature.in(agreed());
  }

  boolean canAnnounce() {
    return has(NetFeature.GUEST_ANNOUNCE) && has(NetFeature.CTRL_VQ);
  }

  /**
   * Offers only configured features that the back end has too. Throws if the driver uses one that
   * the back end lacks.
   *
   * @return whether the offer changed
   */
  boolean limit(String device, long backEndFeatures) {
    boolean changed =
        offer(
            withheld,
            backEndFeatures,
            "device " + device + ": its back end lacks features that the driver uses: ");
    backEnd = backEndFeatures;
    return changed;
  }

  /**
   * Removes features from the offer, whether or not the back end has them. Throws as {@link #limit}
   * does.
   */
  boolean withhold(String device, long mask) {
    boolean changed =
        offer(
            withheld | mask,
            backEnd,
            "device " + device + ": features are to be withheld that the driver uses: ");
    withheld |= mask;
    return changed;
  }

  private boolean offer(long without, long backEndFeatures, String refusal) {
    long limited = configured & ~without & (~NetFeature.BACK_END | backEndFeatures);
    long lost = agreed() & ~limited;
    if (lost != 0) {
      throw new VhostException(refusal + NetFeature.describe(lost), Recovery.GIVE_UP);
    }
    boolean changed = limited != offered;
    offered = limited;
    return changed;
  }

  /** The driver acknowledges features. Returns false if it is too late for that. */
  boolean acknowledge(long features) {
    if ((status & (DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK)) != 0) {
      return false;
    }
    acknowledged = features;
    return true;
  }

  /** The driver writes a status of 8 bits that is not 0. Returns whether the status changed. */
  boolean writeStatus(int value) {
    // Only the device sets and clears NEEDS_RESET.
    int accepted = value & ~DeviceStatus.NEEDS_RESET;
    if (!acceptable()) {
      accepted &= ~DeviceStatus.FEATURES_OK;
    }
    if (NetFeature.VERSION_1.in(acknowledged) && (accepted & DeviceStatus.FEATURES_OK) == 0) {
      accepted &= ~DeviceStatus.DRIVER_OK;
    }
    int next = accepted | (status & DeviceStatus.NEEDS_RESET);
    boolean changed = next != status;
    status = next;
    return changed;
  }

  private boolean acceptable() {
    boolean controlQueueMissing =
        (acknowledged & NEED_CONTROL_QUEUE) != 0 && !NetFeature.CTRL_VQ.in(acknowledged);
    return (acknowledged & ~offered) == 0 && !controlQueueMissing;
  }

  /** The device has an error that needs a reset. A legacy driver has no bit for this. */
  void needsReset() {
    if (has(NetFeature.VERSION_1)) {
      status |= DeviceStatus.NEEDS_RESET;
    }
  }

  void reset() {
    set(0, 0);
  }

  void set(long features, int newStatus) {
    acknowledged = features;
    status = newStatus;
  }
}
