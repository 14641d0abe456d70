package io.github.jvhost.virtio;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Describes a {@link VirtioNet}. Both ends of a migration describe the device alike. Not
 * thread-safe.
 */
public final class VirtioNetBuilder {
  /** What is offered unless said otherwise; MQ comes with more than one queue pair. */
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

  /** Entries of a ring unless said otherwise. */
  public static final int DEFAULT_QUEUE_SIZE = 256;

  /**
   * The features that no device model here can offer, among bits 0 to 63 that have a name. A saved
   * device may have them; a restored one cannot.
   *
   * <p>SR_IOV needs a PCI capability that no model here has. With NOTIFICATION_DATA and
   * NOTIF_CONFIG_DATA a driver's notification carries more than the number of its ring (virtio 1.2,
   * 4.1.5.2), and a kick, which is an eventfd, cannot hand that on. RSC_EXT is not among them: the
   * back end alone serves it, in the headers of packets (virtio 1.2, 5.1.6.4).
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
   * Sets the MAC address; 02:00:00:00:00:01 if not said.
   *
   * @param address the configured address, which every reset brings back
   * @return this builder
   */
  public VirtioNetBuilder mac(MacAddress address) {
    this.mac = Objects.requireNonNull(address, "address");
    return this;
  }

  /**
   * Sets the MTU that the device tells its driver; 1500 if not said.
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
   * Sets the speed and duplex that the device tells its driver, and adds SPEED_DUPLEX to what is
   * offered. A device that offers SPEED_DUPLEX without this tells that they are unknown.
   *
   * @param speed stays as it is, also when a state is restored that was saved with another one
   * @return this builder
   */
  public VirtioNetBuilder linkSpeed(LinkSpeed speed) {
    this.linkSpeed = Objects.requireNonNull(speed, "speed");
    return this;
  }

  /**
   * Sets the most queue pairs that the driver can use; 1 if not said.
   *
   * @param pairs 1 to 511; more than one adds MQ to what is offered, one takes it out
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
   * Sets the entries of a data ring: the most that the driver can give it, {@link
   * VirtioNet#maxRingSize}, and what it has if the driver does not choose fewer; 256 if not said. A
   * state that was saved with larger rings can be restored all the same.
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
   * Sets what the device offers before the back end limits it; {@link #DEFAULT_FEATURES} if not
   * said.
   *
   * <p>Of STANDBY the device only keeps whether it was negotiated: bringing a primary device with
   * the same MAC address, and taking it away for a migration, is the VMM's matter.
   *
   * @param bits feature bits 0 to 63. MQ among them does not count, see {@link #maxQueuePairs}.
   * @return this builder
   * @throws IllegalArgumentException when the device cannot do what is offered, such as RSS
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
   * Sets how the device is attached; modern virtio-mmio if not said.
   *
   * @param state the transport as the driver first finds it
   * @return this builder
   */
  public VirtioNetBuilder transport(TransportState state) {
    this.transport = Objects.requireNonNull(state, "state");
    return this;
  }

  /**
   * Says whether legacy drivers of this guest are big-endian; not so if not said. A driver that
   * does not acknowledge VERSION_1 reads and writes rings, commands and config space in its own
   * order, which no register tells. Only for a legacy transport: a driver of a modern one is
   * little-endian.
   *
   * <p>A back end has to be told of the order (SET_VRING_ENDIAN, where it has CROSS_ENDIAN).
   *
   * @param big whether they are
   * @return this builder
   */
  public VirtioNetBuilder legacyBigEndian(boolean big) {
    this.legacyBigEndian = big;
    return this;
  }

  /**
   * {@return the device, reset, with its link up; a new one with each call}
   *
   * @throws IllegalArgumentException when a modern transport is to have big-endian legacy drivers
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
