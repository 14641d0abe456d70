package io.github.jvhost.virtio;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * Features and status of a live device: who offered what, what was agreed upon, and how far the
 * driver has got.
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

  // Written by the device's owner, read by any thread: the config space depends on them.
  private volatile long offered;
  private volatile long acknowledged;
  private volatile int status;

  Negotiation(long configured) {
    this.configured = configured;
    this.offered = configured;
  }

  /** The same configuration and limits; nothing of the driver's. */
  Negotiation fresh() {
    Negotiation fresh = new Negotiation(configured);
    fresh.withheld = withheld;
    fresh.backEnd = backEnd;
    fresh.offered = offered;
    return fresh;
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
   * Leaves of the configured features those that a back end has too; refuses when the driver would
   * lose one.
   *
   * @return whether another set is offered now
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

  /** Takes features out of the offer, whatever a back end has; refuses as {@link #limit} does. */
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

  /** The driver acknowledges features; whether it still could. */
  boolean acknowledge(long features) {
    if ((status & (DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK)) != 0) {
      return false;
    }
    acknowledged = features;
    return true;
  }

  /** The driver writes a status other than 0, of 8 bits; whether that changed anything. */
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

  /** The device met something that only a reset mends. A legacy driver cannot be told. */
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
