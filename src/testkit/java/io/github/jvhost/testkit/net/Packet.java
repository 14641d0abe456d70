package io.github.jvhost.testkit.net;

import io.github.jvhost.virtio.MacAddress;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * The packets that stations of the test network exchange. {@link #parse} does not trust the bytes
 * that it reads: a damaged frame is an empty result, never an exception.
 *
 * <pre>
 *   0          6         12     14
 *   +----------+---------+------+----------------------------------+
 *   | dst MAC  | src MAC | type | ARP, RARP: 28 bytes, padded to 60|
 *   +----------+---------+------+ IPv4: 20, ICMP: 8, payload       |
 *                               +----------------------------------+
 * </pre>
 */
public sealed interface Packet {
  /** Bytes of the Ethernet header. */
  int ETHERNET_HEADER = 14;

  /** Bytes of the shortest Ethernet frame, its check sequence not counted. */
  int MINIMUM_FRAME = 60;

  /**
   * {@return whether this announces a station's place to the network: RARP, or a gratuitous ARP of
   * the sender}
   */
  default boolean announces() {
    return false;
  }

  /** {@return the whole frame, without its check sequence; the array is the caller's} */
  byte[] encode();

  /**
   * An ICMP echo request or reply.
   *
   * @param destination where the frame goes
   * @param source who sends the frame
   * @param from IPv4 source
   * @param to IPv4 destination
   * @param reply false for a request
   * @param identifier 0 to 65535, the asker's
   * @param sequence 0 to 65535; the payload has room for more
   * @param payload at most 1,472 bytes; read through a duplicate, and not changed
   */
  record Echo(
      MacAddress destination,
      MacAddress source,
      Ipv4Address from,
      Ipv4Address to,
      boolean reply,
      int identifier,
      int sequence,
      ByteBuffer payload)
      implements Packet {
    /**
     * {@return the answer to this request: source and destination exchanged, the payload unchanged}
     *
     * @param self the MAC address of the station that answers
     */
    public Echo answer(MacAddress self) {
      return new Echo(source, self, to, from, true, identifier, sequence, payload);
    }

    @Override
    public byte[] encode() {
      return FrameCodec.echo(this);
    }
  }

  /**
   * An ARP packet for Ethernet and IPv4.
   *
   * @param destination where the frame goes
   * @param source who sends the frame
   * @param operation 1 request, 2 reply
   * @param senderMac the sender's MAC address
   * @param senderIp the sender's IP address
   * @param targetMac the target's MAC address; zero in a request
   * @param targetIp the target's IP address
   */
  record Arp(
      MacAddress destination,
      MacAddress source,
      int operation,
      MacAddress senderMac,
      Ipv4Address senderIp,
      MacAddress targetMac,
      Ipv4Address targetIp)
      implements Packet {
    /**
     * {@return a station's request for another station's MAC address}
     *
     * @param self the MAC address of the station that asks
     * @param selfIp its IP address
     * @param wanted the other station's IP address
     */
    public static Arp request(MacAddress self, Ipv4Address selfIp, Ipv4Address wanted) {
      return new Arp(FrameCodec.BROADCAST, self, 1, self, selfIp, MacAddress.ZERO, wanted);
    }

    /**
     * {@return an announcement (RFC 5227): a broadcast request for the sender's own address}
     *
     * @param self the MAC address that is announced
     * @param selfIp the IP address that it belongs to
     */
    public static Arp gratuitous(MacAddress self, Ipv4Address selfIp) {
      return request(self, selfIp, selfIp);
    }

    /**
     * {@return the answer to this request}
     *
     * @param self the MAC address of the station that answers
     */
    public Arp answer(MacAddress self) {
      return new Arp(senderMac, self, 2, self, targetIp, senderMac, senderIp);
    }

    @Override
    public boolean announces() {
      return senderIp.equals(targetIp) && senderMac.equals(source);
    }

    @Override
    public byte[] encode() {
      return FrameCodec.arp(0x0806, this);
    }
  }

  /**
   * The announcement that a VMM sends for a guest which cannot announce itself: "who is this MAC?",
   * asked by that MAC.
   *
   * @param station the announced address, also the frame's source
   */
  record Rarp(MacAddress station) implements Packet {
    @Override
    public boolean announces() {
      return true;
    }

    @Override
    public byte[] encode() {
      return FrameCodec.arp(
          0x8035,
          new Arp(
              FrameCodec.BROADCAST,
              station,
              3,
              station,
              Ipv4Address.ANY,
              station,
              Ipv4Address.ANY));
    }
  }

  /**
   * A valid frame of another protocol.
   *
   * @param etherType the Ethernet type
   * @param frame the whole frame; read only
   */
  record Other(int etherType, ByteBuffer frame) implements Packet {
    @Override
    public byte[] encode() {
      byte[] bytes = new byte[frame.remaining()];
      frame.duplicate().get(bytes);
      return bytes;
    }
  }

  /**
   * Reads a frame.
   *
   * @param frame a whole frame; the result's payload refers to this array
   * @return the packet, or empty if a length, a constant field or a checksum is wrong
   */
  static Optional<Packet> parse(byte[] frame) {
    return FrameCodec.parse(frame);
  }
}
