package io.github.jvhost.virtio;

import java.util.StringJoiner;

/**
 * The feature bits that a virtio-net device knows, of the device itself (virtio 1.2, 5.1.3) and of
 * its rings (virtio 1.2, 6), by name. Immutable, and so thread-safe.
 */
public enum NetFeature {
  /** The driver may leave checksums to the device. */
  CSUM(0),

  /** The driver takes packets with a partial checksum. */
  GUEST_CSUM(1),

  /** Receive offloads can be changed at run time. */
  CTRL_GUEST_OFFLOADS(2),

  /** The device tells its maximum MTU. */
  MTU(3),

  /** The device has a MAC address in its config space. */
  MAC(5),

  /** Any segmentation offload; legacy only. */
  GSO(6),

  /** The driver takes TSO for IPv4. */
  GUEST_TSO4(7),

  /** The driver takes TSO for IPv6. */
  GUEST_TSO6(8),

  /** The driver takes TSO with ECN. */
  GUEST_ECN(9),

  /** The driver takes UFO. */
  GUEST_UFO(10),

  /** The device takes TSO for IPv4. */
  HOST_TSO4(11),

  /** The device takes TSO for IPv6. */
  HOST_TSO6(12),

  /** The device takes TSO with ECN. */
  HOST_ECN(13),

  /** The device takes UFO. */
  HOST_UFO(14),

  /** A packet may span several receive buffers. */
  MRG_RXBUF(15),

  /** The config space has a status field. */
  STATUS(16),

  /** There is a control queue. */
  CTRL_VQ(17),

  /** Receive modes and the MAC table can be set. */
  CTRL_RX(18),

  /** There is a VLAN filter. */
  CTRL_VLAN(19),

  /** There are further receive modes. */
  CTRL_RX_EXTRA(20),

  /** The driver can announce itself to the network when asked. */
  GUEST_ANNOUNCE(21),

  /** There are several queue pairs. */
  MQ(22),

  /** The MAC address can be set through the control queue. */
  CTRL_MAC_ADDR(23),

  /** The device notifies when a ring runs empty; legacy only. */
  NOTIFY_ON_EMPTY(24),

  /** Headers need no descriptor of their own; legacy only. */
  ANY_LAYOUT(27),

  /** Descriptors may point to tables of descriptors. */
  INDIRECT_DESC(28),

  /** Notifications are asked for by index. */
  EVENT_IDX(29),

  /** The driver speaks virtio 1.0 or later. */
  VERSION_1(32),

  /** Memory is reached through the platform's rules, such as an IOMMU. */
  ACCESS_PLATFORM(33),

  /** Rings are packed. */
  RING_PACKED(34),

  /** Buffers are used in the order in which they were made available. */
  IN_ORDER(35),

  /** Memory is ordered by the platform's rules. */
  ORDER_PLATFORM(36),

  /** The device supports SR-IOV. */
  SR_IOV(37),

  /** Available-buffer notifications carry data. */
  NOTIFICATION_DATA(38),

  /** The driver uses data of the device as its notification's identifier. */
  NOTIF_CONFIG_DATA(39),

  /** Each ring can be reset alone. */
  RING_RESET(40),

  /** Statistics can be read through the control queue. */
  DEVICE_STATS(50),

  /** Notifications can be coalesced for each ring. */
  VQ_NOTF_COAL(52),

  /** Notifications can be coalesced. */
  NOTF_COAL(53),

  /** The driver takes USO for IPv4. */
  GUEST_USO4(54),

  /** The driver takes USO for IPv6. */
  GUEST_USO6(55),

  /** The device takes USO. */
  HOST_USO(56),

  /** The device tells a hash with each packet. */
  HASH_REPORT(57),

  /** The driver gives exact header lengths. */
  GUEST_HDRLEN(59),

  /** The device spreads packets over its queues by hash. */
  RSS(60),

  /** The device tells how many segments it merged. */
  RSC_EXT(61),

  /**
   * The device stands by for another one with the same MAC address, which the VMM brings and takes
   * away.
   */
  STANDBY(62),

  /** The config space has speed and duplex. */
  SPEED_DUPLEX(63);

  /**
   * The bits that a device can only offer when its back end does. All others are emulated by the
   * front end, which neither asks the back end about them nor tells it.
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

  /** The receive offloads that a driver can switch at run time. */
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

  /** {@return the bit alone: a mask in which nothing else is set} */
  public long mask() {
    return 1L << bit;
  }

  /**
   * {@return whether the bit is among the given ones}
   *
   * @param features feature bits 0 to 63
   */
  public boolean in(long features) {
    return (features & mask()) != 0;
  }

  /**
   * {@return the bits of several features together}
   *
   * @param features in any order; none make 0
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
   * @param features feature bits 0 to 63; those without a name here are called by their number
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
