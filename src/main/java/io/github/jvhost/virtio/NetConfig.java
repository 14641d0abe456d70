package io.github.jvhost.virtio;

import java.util.Arrays;

/**
 * The config space of virtio-net (virtio 1.2, 5.1.4). Little-endian; a device has as much of it as
 * its features need.
 *
 * <pre>
 *    0          6         8                      10     12
 *   +----------+---------+----------------------+------+
 *   | mac      | status  | max_virtqueue_pairs  | mtu  |
 *   +----------+---------+----------------------+------+
 *     always     STATUS    MQ                     MTU      needed for
 * </pre>
 */
final class NetConfig {
  /** Where the MTU is. */
  static final int MTU = 10;

  /** The lowest MTU that a device may tell, in bytes. */
  static final int LOWEST_MTU = 68;

  private NetConfig() {}

  /** How many bytes a device with these features has. */
  static int length(long offered) {
    if (NetFeature.MTU.in(offered)) {
      return 12;
    }
    if (NetFeature.MQ.in(offered)) {
      return 10;
    }
    return NetFeature.STATUS.in(offered) ? 8 : 6;
  }

  static byte[] encode(long offered, MacAddress mac, int status, int maxQueuePairs, int mtu) {
    byte[] config = new byte[12];
    System.arraycopy(mac.bytes(), 0, config, 0, MacAddress.SIZE);
    put16(config, 6, status);
    put16(config, 8, maxQueuePairs);
    put16(config, MTU, mtu);
    return Arrays.copyOf(config, length(offered));
  }

  private static void put16(byte[] config, int at, int value) {
    config[at] = (byte) value;
    config[at + 1] = (byte) (value >>> 8);
  }

  /** A part of a config space; what lies outside of it reads as zero. */
  static byte[] read(byte[] config, int offset, int length) {
    byte[] out = new byte[length];
    for (int i = 0; i < length; i++) {
      long at = (long) offset + i;
      out[i] = at >= 0 && at < config.length ? config[(int) at] : 0;
    }
    return out;
  }

  /** The MAC address after a write of some bytes at an offset, which may reach beyond it. */
  static MacAddress writeMac(MacAddress old, int offset, byte[] bytes) {
    byte[] address = old.bytes();
    for (int i = 0; i < bytes.length; i++) {
      long at = (long) offset + i;
      if (at >= 0 && at < address.length) {
        address[(int) at] = bytes[i];
      }
    }
    return MacAddress.of(address, 0);
  }
}
