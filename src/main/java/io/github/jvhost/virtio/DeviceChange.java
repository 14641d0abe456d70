package io.github.jvhost.virtio;

/** What changed in a device; {@link VirtioNet#onChange} says when a listener hears of it. */
public enum DeviceChange {
  /** The number of queue pairs that the driver uses. */
  QUEUE_PAIRS,
  /** The current MAC address. */
  MAC,
  /** The MTU of the device. */
  MTU,
  /** The device was reset: nothing is negotiated, no ring is set up. */
  RESET,
  /** The device status. */
  STATUS,
  /** The link went up or down. */
  LINK,
  /** The receive modes, the MAC table or the VLAN filter. */
  FILTERS,
  /** The receive offloads. */
  OFFLOADS,
  /** A ring was set up or taken down. */
  QUEUE,
  /**
   * The driver reset a ring (RING_RESET), which is no longer set up. The code that runs a back end
   * ({@link VirtioNet#serveChanges}) stops that ring there at once, before the driver sets it up
   * again.
   */
  QUEUE_RESET,
  /** The driver has announced itself. */
  ANNOUNCE_ACK,
  /** The config space changed: a listener interrupts the driver. */
  CONFIG_INTERRUPT,
  /**
   * The device completed commands in the control ring: a listener interrupts the driver for that
   * ring. This also happens without a kick, because a command may have waited while the guest was
   * paused.
   */
  CONTROL_USED,
  /** The driver did something from which the device cannot recover: it needs a reset. */
  BROKEN,
  /** A saved state has replaced the whole state. */
  RESTORED
}
