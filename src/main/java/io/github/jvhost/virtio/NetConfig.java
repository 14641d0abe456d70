package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The config space of virtio-net (virtio 1.2, 5.1.4). It is little-endian, or in the order of a
 * legacy guest. Its length depends on the features of the device.
 *
 * <pre>
 *    0          6         8                      10     12        16       17
 *   +----------+---------+----------------------+------+---------+--------+
 *   | mac      | status  | max_virtqueue_pairs  | mtu  | speed   | duplex |
 *   +----------+---------+----------------------+------+---------+--------+
 *     always     STATUS    MQ                     MTU    SPEED_DUPLEX        needed for
 * </pre>
 */
final class NetConfig {
  private static final int MTU = 10;
  private static final int ALL = 17;

  /** The lowest MTU that a device may have, in bytes. */
  static final int LOWEST_MTU = 68;

  private NetConfig() {}

  /** The length of the config space with these features, in bytes. */
  static int length(long offered) {
    if (NetFeature.SPEED_DUPLEX.in(offered)) {
      return ALL;
    }
    if (NetFeature.MTU.in(offered)) {
      return 12;
    }
    if (NetFeature.MQ.in(offered)) {
      return 10;
    }
    return NetFeature.STATUS.in(offered) ? 8 : 6;
  }

  static byte[] encode(
      long offered,
      ByteOrder order,
      MacAddress mac,
      int status,
      int maxQueuePairs,
      int mtu,
      LinkSpeed speed) {
    ByteBuffer config = ByteBuffer.allocate(ALL).order(order);
    config.put(mac.bytes());
    config.putShort((short) status).putShort((short) maxQueuePairs).putShort((short) mtu);
    config.putInt(speed.megabits()).put((byte) speed.duplex().number());
    return Arrays.copyOf(config.array(), length(offered));
  }

  /** The MTU in a config space, 0 if it has none. */
  static int mtu(Bytes config, ByteOrder order) {
    if (config.size() < MTU + 2) {
      return 0;
    }
    // Byte by byte, because this runs in stop windows, and a buffer would be an allocation.
    int little = config.littleEndian16(MTU);
    return order == ByteOrder.LITTLE_ENDIAN
        ? little
        : Short.toUnsignedInt(Short.reverseBytes((short) little));
  }

  /** A part of a config space. Bytes outside of it read as zero. */
  static byte[] read(byte[] config, int offset, int length) {
    byte[] out = new byte[length];
    for (int i = 0; i < length; i++) {
      long at = (long) offset + i;
      out[i] = at >= 0 && at < config.length ? config[(int) at] : 0;
    }
    return out;
  }

  /**
   * The MAC address after a write of some bytes at an offset. The write may also cover bytes
   * outside of the address.
   */
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
