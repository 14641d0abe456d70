package io.github.jvhost.virtio;

/** What changed in a device; told to its listeners right after, on the owner's thread. */
public enum DeviceChange {
  /** The driver uses another number of queue pairs. */
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
  /** Receive modes, MAC table or VLAN filter. */
  FILTERS,
  /** Receive offloads. */
  OFFLOADS,
  /** A ring was set up or taken down. */
  QUEUE,
  /**
   * The driver reset a ring (RING_RESET), which is not set up any more: a back end that serves it
   * is to be stopped at once, before the driver sets it up again.
   */
  QUEUE_RESET,
  /** The driver has announced itself. */
  ANNOUNCE_ACK,
  /** The driver is to be told that the config space changed. */
  CONFIG_INTERRUPT,
  /**
   * Commands in the control ring were completed: the driver is to be interrupted for that ring.
   * This happens also when nobody has kicked, since a command may have waited while the guest was
   * paused.
   */
  CONTROL_USED,
  /** The driver did something from which the device cannot recover: it needs a reset. */
  BROKEN,
  /** A saved state took the place of everything. */
  RESTORED
}
