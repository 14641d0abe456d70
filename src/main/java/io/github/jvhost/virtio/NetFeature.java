package io.github.jvhost.virtio;

import java.util.StringJoiner;

/**
 * The feature bits of a virtio-net device (virtio 1.2, 5.1.3) and of its rings (virtio 1.2, 6), by
 * name. Immutable, and so thread-safe.
 */
public enum NetFeature {
  /** The driver may leave checksums to the device. */
  CSUM(0),

  /** The driver accepts packets with a partial checksum. */
  GUEST_CSUM(1),

  /** The driver can change receive offloads at run time. */
  CTRL_GUEST_OFFLOADS(2),

  /** The config space has the maximum MTU. */
  MTU(3),

  /** The config space has a MAC address. */
  MAC(5),

  /** Any segmentation offload; legacy only. */
  GSO(6),

  /** The driver accepts TSO for IPv4. */
  GUEST_TSO4(7),

  /** The driver accepts TSO for IPv6. */
  GUEST_TSO6(8),

  /** The driver accepts TSO with ECN. */
  GUEST_ECN(9),

  /** The driver accepts UFO. */
  GUEST_UFO(10),

  /** The device accepts TSO for IPv4. */
  HOST_TSO4(11),

  /** The device accepts TSO for IPv6. */
  HOST_TSO6(12),

  /** The device accepts TSO with ECN. */
  HOST_ECN(13),

  /** The device accepts UFO. */
  HOST_UFO(14),

  /** A packet may span several receive buffers. */
  MRG_RXBUF(15),

  /** The config space has a status field. */
  STATUS(16),

  /** The device has a control queue. */
  CTRL_VQ(17),

  /** The driver can set receive modes and the MAC table. */
  CTRL_RX(18),

  /** The device has a VLAN filter. */
  CTRL_VLAN(19),

  /** The device has further receive modes. */
  CTRL_RX_EXTRA(20),

  /** The driver can announce itself to the network when asked. */
  GUEST_ANNOUNCE(21),

  /** The device has several queue pairs. */
  MQ(22),

  /** The driver can set the MAC address through the control queue. */
  CTRL_MAC_ADDR(23),

  /** The device notifies the driver when a ring becomes empty; legacy only. */
  NOTIFY_ON_EMPTY(24),

  /** Headers need no descriptor of their own; legacy only. */
  ANY_LAYOUT(27),

  /** Descriptors may point to tables of descriptors. */
  INDIRECT_DESC(28),

  /** Both sides ask for notifications by index. */
  EVENT_IDX(29),

  /** The driver uses virtio 1.0 or later. */
  VERSION_1(32),

  /** The device accesses memory by the rules of the platform, such as an IOMMU. */
  ACCESS_PLATFORM(33),

  /** Rings are packed. */
  RING_PACKED(34),

  /** The device uses buffers in the order in which the driver made them available. */
  IN_ORDER(35),

  /** Memory accesses are ordered by the rules of the platform. */
  ORDER_PLATFORM(36),

  /** The device supports SR-IOV. */
  SR_IOV(37),

  /** Notifications of available buffers have additional data. */
  NOTIFICATION_DATA(38),

  /** The driver puts data of the device into its notifications. */
  NOTIF_CONFIG_DATA(39),

  /** The driver can reset a single ring. */
  RING_RESET(40),

  /** The driver can read statistics through the control queue. */
  DEVICE_STATS(50),

  /** The device can coalesce notifications for each ring. */
  VQ_NOTF_COAL(52),

  /** The device can coalesce notifications. */
  NOTF_COAL(53),

  /** The driver accepts USO for IPv4. */
  GUEST_USO4(54),

  /** The driver accepts USO for IPv6. */
  GUEST_USO6(55),

  /** The device accepts USO. */
  HOST_USO(56),

  /** The device adds a hash to each packet. */
  HASH_REPORT(57),

  /** The driver sets exact header lengths. */
  GUEST_HDRLEN(59),

  /** The device distributes packets over its queues by hash. */
  RSS(60),

  /** The device says how many segments it merged. */
  RSC_EXT(61),

  /**
   * The device is a standby for a primary device with the same MAC address. The VMM adds and
   * removes the primary device.
   */
  STANDBY(62),

  /** The config space has the speed and duplex of the link. */
  SPEED_DUPLEX(63);

  /**
   * The bits that a device can offer only when its back end has them. The front end emulates all
   * other features: it neither asks the back end for them nor sends them to it.
   */
  public static final long BACK_END =
      maskOf(
          NOTIFY_ON_EMPTY,
          NOTIFICATION_DATA,
          INDIRECT_DESC,
          EVENT_IDX,
          ANY_LAYOUT,
          VERSION_1,
          CSUM,
          GUEST_CSUM,
          GSO,
          GUEST_TSO4,
          GUEST_TSO6,
          GUEST_ECN,
          GUEST_UFO,
          HOST_TSO4,
          HOST_TSO6,
          HOST_ECN,
          HOST_UFO,
          MRG_RXBUF,
          MTU,
          ACCESS_PLATFORM,
          RING_PACKED,
          RING_RESET,
          IN_ORDER,
          RSS,
          RSC_EXT,
          HASH_REPORT,
          GUEST_USO4,
          GUEST_USO6,
          HOST_USO,
          GUEST_ANNOUNCE,
          MQ);

  /**
   * The bits with which a driver may give commands that a device which works by itself has to be
   * told: a vDPA device has to be told all of them, a tap the offloads.
   */
  public static final long COMMANDS =
      maskOf(CTRL_GUEST_OFFLOADS, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, CTRL_MAC_ADDR);

  /** The receive offloads that a driver can change at run time. */
  static final long GUEST_OFFLOADS =
      maskOf(GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_UFO, GUEST_USO4, GUEST_USO6);

  private final int bit;

  NetFeature(int bit) {
    this.bit = bit;
  }

  /** {@return the number of the bit, 0 to 63} */
  public int bit() {
    return bit;
  }

  /** {@return the bit as a mask} */
  public long mask() {
    return 1L << bit;
  }

  /**
   * {@return whether this feature's bit is set}
   *
   * @param features feature bits 0 to 63
   */
  public boolean in(long features) {
    return (features & mask()) != 0;
  }

  /**
   * {@return a mask with the bits of some features}
   *
   * @param features in any order; none gives 0
   */
  public static long maskOf(NetFeature... features) {
    long mask = 0;
    for (NetFeature feature : features) {
      mask |= feature.mask();
    }
    return mask;
  }

  /**
   * {@return feature bits by name: {@code MAC|MQ|bit 30}; {@code none} when there are none}
   *
   * @param features feature bits 0 to 63; a bit without a name is shown by its number
   */
  public static String describe(long features) {
    if (features == 0) {
      return "none";
    }
    StringJoiner names = new StringJoiner("|");
    long rest = features;
    for (NetFeature feature : values()) {
      if (feature.in(features)) {
        names.add(feature.name());
        rest &= ~feature.mask();
      }
    }
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((rest >>> bit & 1) != 0) {
        names.add("bit " + bit);
      }
    }
    return names.toString();
  }
}
