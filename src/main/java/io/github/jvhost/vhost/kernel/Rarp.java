package io.github.jvhost.vhost.kernel;

import java.nio.ByteBuffer;

/** The frame that says to the network's bridges where a MAC address is now (RFC 903). */
final class Rarp {
  /** The shortest frame, without its checksum. */
  private static final int BYTES = 60;

  private Rarp() {}

  /**
   * A broadcast of a station that asks for its own IP address.
   *
   * @param mac the station's
   */
  static byte[] frame(byte[] mac) {
    ByteBuffer frame = ByteBuffer.allocate(BYTES);
    frame.put(new byte[] {-1, -1, -1, -1, -1, -1}).put(mac).putShort((short) 0x8035);
    frame.putShort((short) 1).putShort((short) 0x0800).put((byte) 6).put((byte) 4);
    frame.putShort((short) 3); // request reverse
    frame.put(mac).putInt(0).put(mac);
    return frame.array();
  }
}
