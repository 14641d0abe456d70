package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.Optional;

/** The network part of a live device: addresses, link, queue pairs, filters and offloads. */
final class NetPart {
  private final MacAddress configuredMac;
  private final int maxQueuePairs;
  private final LinkSpeed linkSpeed;
  private RxFilters filters = new RxFilters();
  private int currentQueuePairs = 1;
  private long guestOffloads;

  // The device's owner writes them. Any thread may read them, for the config space.
  private volatile MacAddress mac;
  private volatile int mtu;
  private volatile int status = NetState.LINK_UP;

  NetPart(MacAddress mac, int mtu, int maxQueuePairs, LinkSpeed linkSpeed) {
    this.configuredMac = mac;
    this.mac = mac;
    this.mtu = mtu;
    this.maxQueuePairs = maxQueuePairs;
    this.linkSpeed = linkSpeed;
  }

  /** A copy with the same configuration and settings of the host, without the driver's state. */
  NetPart resetCopy() {
    NetPart copy = new NetPart(configuredMac, mtu, maxQueuePairs, linkSpeed);
    copy.statusBit(NetState.LINK_UP, statusBit(NetState.LINK_UP));
    return copy;
  }

  MacAddress mac() {
    return mac;
  }

  void mac(MacAddress address) {
    mac = address;
  }

  int mtu() {
    return mtu;
  }

  void mtu(int bytes) {
    mtu = bytes;
  }

  int maxQueuePairs() {
    return maxQueuePairs;
  }

  int currentQueuePairs() {
    return currentQueuePairs;
  }

  void currentQueuePairs(int pairs) {
    currentQueuePairs = pairs;
  }

  long guestOffloads() {
    return guestOffloads;
  }

  void guestOffloads(long offloads) {
    guestOffloads = offloads;
  }

  RxFilters filters() {
    return filters;
  }

  void filters(RxFilters others) {
    filters = others;
  }

  /** What the driver has set by commands. */
  ControlState control() {
    return new ControlState(mac, filters.save(), guestOffloads, currentQueuePairs);
  }

  boolean statusBit(int bit) {
    return (status & bit) != 0;
  }

  void statusBit(int bit, boolean on) {
    status = on ? status | bit : status & ~bit;
  }

  /** The driver acknowledged these features: sets what depends on them. */
  void features(long agreed) {
    guestOffloads =
        NetFeature.CTRL_GUEST_OFFLOADS.in(agreed) ? agreed & NetFeature.GUEST_OFFLOADS : 0;
    filters.passAllVlans(!NetFeature.CTRL_VLAN.in(agreed));
  }

  /** Resets the driver's state. The link and the MTU belong to the host and stay. */
  void reset() {
    mac = configuredMac;
    statusBit(NetState.ANNOUNCE, false);
    currentQueuePairs = 1;
    guestOffloads = 0;
    filters.reset();
  }

  byte[] config(long offered, ByteOrder order) {
    return NetConfig.encode(offered, order, mac, status, maxQueuePairs, mtu, linkSpeed);
  }

  NetState save(long agreed) {
    return new NetState(
        mac,
        // The host has no transmit path of its own, so no work is left in it.
        Collections.nCopies(currentQueuePairs, 0),
        NetFeature.MRG_RXBUF.in(agreed),
        status,
        filters.save(),
        true,
        true,
        maxQueuePairs,
        currentQueuePairs,
        guestOffloads,
        Optional.empty(),
        Optional.empty());
  }

  void restore(CommonState common, ByteOrder order, NetState saved) {
    mac = saved.mac();
    status = saved.status();
    currentQueuePairs = saved.currentQueuePairs();
    guestOffloads = saved.guestOffloads();
    filters = RxFilters.of(saved.filters());
    mtu = mtuAfter(common, order);
  }

  /**
   * The MTU after a restore. A driver that negotiated MTU uses the value that it has read, so the
   * device takes that one from the saved config space. If the driver never read the config space,
   * the saved MTU is 0, and the device keeps its own.
   */
  private int mtuAfter(CommonState common, ByteOrder order) {
    int read = NetFeature.MTU.in(common.features()) ? NetConfig.mtu(common.config(), order) : 0;
    return read >= NetConfig.LOWEST_MTU ? read : mtu;
  }

  /**
   * Whether the config space of this device, after a restore, differs from the saved one. The saved
   * one is what the driver read last. If it is all zero, the driver never read it, and the result
   * is false.
   */
  boolean configDiffers(long offered, CommonPart device, VirtioNetState saved) {
    CommonState common = saved.common();
    ByteOrder order = device.order(common.features());
    NetState net = saved.net();
    byte[] here =
        NetConfig.encode(
            offered,
            order,
            net.mac(),
            net.status(),
            maxQueuePairs,
            mtuAfter(common, order),
            linkSpeed);
    Bytes seen = common.config();
    boolean read = false;
    boolean differs = false;
    for (int i = 0; i < Math.min(here.length, seen.size()); i++) {
      read |= seen.at(i) != 0;
      differs |= (byte) seen.at(i) != here[i];
    }
    return read && differs;
  }
}
