package io.github.jvhost.virtio;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Builds a {@link VirtioNet}. Both ends of a migration must describe the device in the same way.
 * Not thread-safe.
 */
public final class VirtioNetBuilder {
  /** The features that are offered by default. With more than one queue pair MQ is added. */
  public static final long DEFAULT_FEATURES =
      NetFeature.maskOf(
          NetFeature.VERSION_1,
          NetFeature.MAC,
          NetFeature.MTU,
          NetFeature.STATUS,
          NetFeature.CTRL_VQ,
          NetFeature.CTRL_RX,
          NetFeature.CTRL_VLAN,
          NetFeature.CTRL_MAC_ADDR,
          NetFeature.GUEST_ANNOUNCE,
          NetFeature.MRG_RXBUF);

  /** The default number of entries of a ring. */
  public static final int DEFAULT_QUEUE_SIZE = 256;

  /**
   * The named features that no device model here can offer. A saved device may have them; a
   * restored device cannot.
   *
   * <p>SR_IOV needs a PCI capability that no model here has. With NOTIFICATION_DATA and
   * NOTIF_CONFIG_DATA a driver's notification has more data than the number of its ring (virtio
   * 1.2, 4.1.5.2). A kick is an eventfd and cannot pass that data on. RSC_EXT is not one of them:
   * only the back end handles it, in the headers of packets (virtio 1.2, 5.1.6.4).
   */
  public static final long NOT_EMULATED =
      NetFeature.maskOf(
          NetFeature.SR_IOV,
          NetFeature.NOTIFICATION_DATA,
          NetFeature.NOTIF_CONFIG_DATA,
          NetFeature.DEVICE_STATS,
          NetFeature.VQ_NOTF_COAL,
          NetFeature.NOTF_COAL,
          NetFeature.HASH_REPORT,
          NetFeature.RSS);

  private final String name;
  private MacAddress mac = MacAddress.parse("02:00:00:00:00:01");
  private int mtu = 1500;
  private int maxQueuePairs = 1;
  private int queueSize = DEFAULT_QUEUE_SIZE;
  private long features = DEFAULT_FEATURES;
  private TransportState transport = TransportState.Mmio.create(true);
  private boolean legacyBigEndian;
  private @Nullable LinkSpeed linkSpeed;

  VirtioNetBuilder(String name) {
    this.name = Objects.requireNonNull(name, "name");
  }

  static void checkMtu(int bytes) {
    if (bytes < NetConfig.LOWEST_MTU || bytes > 65535) {
      throw new IllegalArgumentException("MTU " + bytes + " is not between 68 and 65535");
    }
  }

  /**
   * Sets the MAC address; the default is 02:00:00:00:00:01.
   *
   * @param address the configured address; every reset restores it
   * @return this builder
   */
  public VirtioNetBuilder mac(MacAddress address) {
    this.mac = Objects.requireNonNull(address, "address");
    return this;
  }

  /**
   * Sets the MTU that the device shows to its driver; the default is 1500.
   *
   * @param bytes 68 to 65535
   * @return this builder
   */
  public VirtioNetBuilder mtu(int bytes) {
    checkMtu(bytes);
    this.mtu = bytes;
    return this;
  }

  /**
   * Sets the speed and duplex that the device shows to its driver, and adds SPEED_DUPLEX to the
   * offer. A device that offers SPEED_DUPLEX without this call shows that they are unknown.
   *
   * @param speed the link's speed; restoring a saved state with another speed does not change it
   * @return this builder
   */
  public VirtioNetBuilder linkSpeed(LinkSpeed speed) {
    this.linkSpeed = Objects.requireNonNull(speed, "speed");
    return this;
  }

  /**
   * Sets the most queue pairs that the driver can use; the default is 1.
   *
   * @param pairs 1 to 511; with more than one, MQ is offered, otherwise not
   * @return this builder
   */
  public VirtioNetBuilder maxQueuePairs(int pairs) {
    if (pairs < 1 || pairs > NetState.MAX_PAIRS) {
      throw new IllegalArgumentException(
          pairs + " queue pairs are not between 1 and " + NetState.MAX_PAIRS);
    }
    this.maxQueuePairs = pairs;
    return this;
  }

  /**
   * Sets the size of a data ring, in entries; the default is 256. It is the largest size that the
   * driver can choose ({@link VirtioNet#maxRingSize}), and the size if the driver chooses none. A
   * saved state with larger rings can still be restored.
   *
   * @param entries a power of two up to 1024
   * @return this builder
   */
  public VirtioNetBuilder queueSize(int entries) {
    if (entries < 1 || entries > VirtioNet.MAX_QUEUE_SIZE || Integer.bitCount(entries) != 1) {
      throw new IllegalArgumentException(
          "ring of " + entries + " entries: it has to be a power of two up to 1024");
    }
    this.queueSize = entries;
    return this;
  }

  /**
   * Sets the features that the device offers before the back end limits them; the default is {@link
   * #DEFAULT_FEATURES}.
   *
   * <p>For STANDBY the device only records whether it was negotiated. The VMM adds the primary
   * device with the same MAC address, and removes it for a migration.
   *
   * @param bits feature bits 0 to 63. MQ is ignored, see {@link #maxQueuePairs}.
   * @return this builder
   * @throws IllegalArgumentException when the device cannot offer one of them, such as RSS
   */
  public VirtioNetBuilder deviceFeatures(long bits) {
    if ((bits & NOT_EMULATED) != 0) {
      throw new IllegalArgumentException(
          "features that the device does not have: " + NetFeature.describe(bits & NOT_EMULATED));
    }
    this.features = bits;
    return this;
  }

  /**
   * Sets how the device is attached; the default is modern virtio-mmio.
   *
   * @param state the transport before the driver has written to it
   * @return this builder
   */
  public VirtioNetBuilder transport(TransportState state) {
    this.transport = Objects.requireNonNull(state, "state");
    return this;
  }

  /**
   * Sets whether legacy drivers of this guest are big-endian; the default is false. A driver that
   * does not acknowledge VERSION_1 uses its own byte order for rings, commands and config space. No
   * register says which one. Only for a legacy transport: a driver of a modern transport is
   * little-endian.
   *
   * <p>A back end needs to know the order (SET_VRING_ENDIAN, if it has CROSS_ENDIAN).
   *
   * @param big whether they are
   * @return this builder
   */
  public VirtioNetBuilder legacyBigEndian(boolean big) {
    this.legacyBigEndian = big;
    return this;
  }

  /**
   * {@return a new device in the reset state, with its link up}
   *
   * @throws IllegalArgumentException when big-endian legacy drivers are set for a modern transport
   */
  public VirtioNet build() {
    long offered =
        maxQueuePairs > 1 ? features | NetFeature.MQ.mask() : features & ~NetFeature.MQ.mask();
    if (linkSpeed != null) {
      offered |= NetFeature.SPEED_DUPLEX.mask();
    }
    if (legacyBigEndian && transport.modern()) {
      throw new IllegalArgumentException(
          transport.describe() + " with big-endian legacy drivers: that needs a legacy transport");
    }
    return new VirtioNet(
        name,
        new NetPart(mac, mtu, maxQueuePairs, linkSpeed == null ? LinkSpeed.UNKNOWN : linkSpeed),
        queueSize,
        new CommonPart(new Negotiation(offered), transport, legacyBigEndian));
  }
}
