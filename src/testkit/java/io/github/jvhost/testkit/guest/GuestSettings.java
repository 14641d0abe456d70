package io.github.jvhost.testkit.guest;

import io.github.jvhost.testkit.net.EchoPayload;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.time.Duration;

/**
 * How a guest is booted. All settings are written into guest memory, so that attaching to a copy
 * needs none of them.
 *
 * @param base guest-physical address of the boot block; the guest uses the memory from there to the
 *     end of the region
 * @param period between two ticks: each sends one ping per NIC and changes the working set
 * @param peerMac the MAC address to ping
 * @param peerIp the IP address to ping
 * @param firstIp the address of NIC 0; NIC n has the n-th address after it
 * @param queuePairs how many the guest asks for if the device has that many
 * @param queueSize entries of a ring; a power of two if the device offers only split rings
 * @param buffersPerRing buffers for each receive and transmit ring, at most {@code queueSize}
 * @param mailboxPlaces how many received frames of each ring stay in their buffers, fewer than
 *     {@code buffersPerRing}
 * @param workingSetPages how many pages the guest changes and checks
 * @param changedPagesPerTick how many of them it changes at each tick
 * @param payloadBytes the payload of a ping, in bytes
 * @param wantedFeatures the features that the driver acknowledges if they are offered
 * @param dma what its drivers tell their devices in place of guest addresses
 */
public record GuestSettings(
    long base,
    Duration period,
    MacAddress peerMac,
    Ipv4Address peerIp,
    Ipv4Address firstIp,
    int queuePairs,
    int queueSize,
    int buffersPerRing,
    int mailboxPlaces,
    int workingSetPages,
    int changedPagesPerTick,
    int payloadBytes,
    long wantedFeatures,
    DmaMode dma) {
  /** The default address of a guest: 1 MiB. */
  public static final long DEFAULT_BASE = 0x10_0000;

  /** The features that the driver uses. */
  public static final long KNOWN_FEATURES =
      NetFeature.maskOf(
          NetFeature.VERSION_1,
          NetFeature.MAC,
          NetFeature.MTU,
          NetFeature.STATUS,
          NetFeature.CTRL_VQ,
          NetFeature.CTRL_MAC_ADDR,
          NetFeature.GUEST_ANNOUNCE,
          NetFeature.MQ,
          NetFeature.ACCESS_PLATFORM,
          NetFeature.RING_PACKED);

  /**
   * With those that it does not negotiate by itself: a test has to give the commands ({@link
   * TestGuest#command}).
   */
  public static final long FEATURES_WITH_COMMANDS =
      KNOWN_FEATURES
          | NetFeature.COMMANDS
          | NetFeature.maskOf(NetFeature.GUEST_CSUM, NetFeature.GUEST_TSO4, NetFeature.GUEST_TSO6);

  /** Checks the ranges. */
  public GuestSettings {
    check(base >= 0 && base % GuestRam.PAGE == 0, "base", base);
    check(!period.isNegative() && !period.isZero(), "period", period.toNanos());
    check(queuePairs >= 1, "queuePairs", queuePairs);
    check(queueSize >= 1 && queueSize <= 32768, "queueSize", queueSize);
    check(
        Integer.bitCount(queueSize) == 1 || NetFeature.RING_PACKED.in(wantedFeatures),
        "queueSize",
        queueSize);
    check(buffersPerRing >= 2 && buffersPerRing <= queueSize, "buffersPerRing", buffersPerRing);
    check(mailboxPlaces >= 1 && mailboxPlaces < buffersPerRing, "mailboxPlaces", mailboxPlaces);
    check(workingSetPages >= 1, "workingSetPages", workingSetPages);
    check(changedPagesPerTick >= 0, "changedPagesPerTick", changedPagesPerTick);
    check(
        payloadBytes >= EchoPayload.MINIMUM && payloadBytes <= 1024, "payloadBytes", payloadBytes);
    check((wantedFeatures & ~FEATURES_WITH_COMMANDS) == 0, "wantedFeatures", wantedFeatures);
  }

  private static void check(boolean good, String what, long value) {
    if (!good) {
      throw new IllegalArgumentException("a guest's " + what + " cannot be " + value);
    }
  }

  /**
   * {@return the settings of a guest at 1 MiB that pings each millisecond: one queue pair, rings of
   * 256, 128 buffers of 2 KiB each, 64 pages}
   *
   * @param peerMac the MAC address to ping
   * @param peerIp the IP address to ping
   * @param firstIp the address of NIC 0
   */
  public static GuestSettings of(MacAddress peerMac, Ipv4Address peerIp, Ipv4Address firstIp) {
    return new GuestSettings(
        DEFAULT_BASE,
        Duration.ofMillis(1),
        peerMac,
        peerIp,
        firstIp,
        1,
        256,
        128,
        16,
        64,
        4,
        200,
        KNOWN_FEATURES,
        DmaMode.GUEST_ADDRESSES);
  }

  /**
   * {@return the same with another place in memory}
   *
   * @param newBase guest-physical address of the boot block, a multiple of 4096
   */
  public GuestSettings withBase(long newBase) {
    return copy(newBase, period, queuePairs, workingSetPages, changedPagesPerTick, wantedFeatures);
  }

  /**
   * {@return the same with another time between ticks}
   *
   * @param newPeriod more than zero
   */
  public GuestSettings withPeriod(Duration newPeriod) {
    return copy(base, newPeriod, queuePairs, workingSetPages, changedPagesPerTick, wantedFeatures);
  }

  /**
   * {@return the same with another number of queue pairs}
   *
   * @param pairs 1 or more; the guest asks for them if the device has that many
   */
  public GuestSettings withQueuePairs(int pairs) {
    return copy(base, period, pairs, workingSetPages, changedPagesPerTick, wantedFeatures);
  }

  /**
   * {@return the same with a working set of another size}
   *
   * @param pages how many pages of 4096 bytes the guest changes and checks, 1 or more
   * @param changedPerTick how many of them it changes at each tick, 0 or more
   */
  public GuestSettings withWorkingSet(int pages, int changedPerTick) {
    return copy(base, period, queuePairs, pages, changedPerTick, wantedFeatures);
  }

  /**
   * {@return the same with a driver that knows fewer features}
   *
   * @param features the features that it acknowledges if they are offered, all of them among {@link
   *     #KNOWN_FEATURES}
   */
  public GuestSettings withWantedFeatures(long features) {
    return copy(base, period, queuePairs, workingSetPages, changedPagesPerTick, features);
  }

  /**
   * {@return the same with rings of another size, this many buffers for each, and one mailbox place
   * per eight buffers}
   *
   * @param entries of a ring, 1 to 32768; a power of two unless the driver wants packed rings
   * @param buffers of 2 KiB for each ring, from 2 to {@code entries}
   */
  public GuestSettings withQueueSize(int entries, int buffers) {
    return new GuestSettings(
        base,
        period,
        peerMac,
        peerIp,
        firstIp,
        queuePairs,
        entries,
        buffers,
        Math.max(1, buffers / 8),
        workingSetPages,
        changedPagesPerTick,
        payloadBytes,
        wantedFeatures,
        dma);
  }

  /**
   * {@return the same with drivers that use an IOMMU in another way} Each NIC of such a guest has a
   * {@link GuestIommu}.
   *
   * @param mode which addresses its drivers tell a device that offers ACCESS_PLATFORM
   */
  public GuestSettings withDma(DmaMode mode) {
    return new GuestSettings(
        base,
        period,
        peerMac,
        peerIp,
        firstIp,
        queuePairs,
        queueSize,
        buffersPerRing,
        mailboxPlaces,
        workingSetPages,
        changedPagesPerTick,
        payloadBytes,
        wantedFeatures,
        mode);
  }

  private GuestSettings copy(
      long newBase, Duration newPeriod, int pairs, int pages, int changed, long features) {
    return new GuestSettings(
        newBase,
        newPeriod,
        peerMac,
        peerIp,
        firstIp,
        pairs,
        queueSize,
        buffersPerRing,
        mailboxPlaces,
        pages,
        changed,
        payloadBytes,
        features,
        dma);
  }
}
