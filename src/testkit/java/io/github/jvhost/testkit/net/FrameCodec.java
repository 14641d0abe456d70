package io.github.jvhost.testkit.net;

import io.github.jvhost.virtio.MacAddress;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * The bytes of {@link Packet}, all in network byte order.
 *
 * <pre>
 *   ARP, RARP (RFC 826, 903)              IPv4 (RFC 791), no options        ICMP echo (RFC 792)
 *   14 htype 1   16 ptype 0x0800          14 0x45  15 tos  16 total length  34 type 8/0  35 code 0
 *   18 hlen 6    19 plen 4  20 oper       18 id    20 fragment              36 checksum  38 identifier
 *   22 sender MAC   28 sender IP          22 ttl   23 protocol  24 checksum 40 sequence  42 payload
 *   32 target MAC   38 target IP          26 source   30 destination
 * </pre>
 */
final class FrameCodec {
  static final MacAddress BROADCAST = new MacAddress(0xffff_ffff_ffffL);

  private static final int IP = Packet.ETHERNET_HEADER;
  private static final int ICMP = IP + 20;
  private static final int ECHO_PAYLOAD = ICMP + 8;
  private static final int ARP_END = IP + 28;
  private static final int MAX_ECHO_PAYLOAD = 1500 - 28;

  private FrameCodec() {}

  static byte[] echo(Packet.Echo echo) {
    int length = echo.payload().remaining();
    if (length > MAX_ECHO_PAYLOAD) {
      throw new IllegalArgumentException(
          "an echo payload of " + length + " bytes needs a fragment");
    }
    byte[] bytes = new byte[Math.max(ECHO_PAYLOAD + length, Packet.MINIMUM_FRAME)];
    ByteBuffer out = ethernet(bytes, echo.destination(), echo.source(), 0x0800);
    out.putShort(IP, (short) 0x4500).putShort(IP + 2, (short) (28 + length));
    out.put(IP + 8, (byte) 64).put(IP + 9, (byte) 1);
    out.putInt(IP + 12, echo.from().value()).putInt(IP + 16, echo.to().value());
    out.putShort(IP + 10, (short) checksum(bytes, IP, 20));
    out.put(ICMP, (byte) (echo.reply() ? 0 : 8));
    out.putShort(ICMP + 4, (short) echo.identifier()).putShort(ICMP + 6, (short) echo.sequence());
    echo.payload().duplicate().get(bytes, ECHO_PAYLOAD, length);
    out.putShort(ICMP + 2, (short) checksum(bytes, ICMP, 8 + length));
    return bytes;
  }

  static byte[] arp(int etherType, Packet.Arp arp) {
    byte[] bytes = new byte[Packet.MINIMUM_FRAME];
    ByteBuffer out = ethernet(bytes, arp.destination(), arp.source(), etherType);
    out.position(IP);
    out.putShort((short) 1).putShort((short) 0x0800).put((byte) 6).put((byte) 4);
    out.putShort((short) arp.operation());
    out.put(arp.senderMac().bytes()).putInt(arp.senderIp().value());
    out.put(arp.targetMac().bytes()).putInt(arp.targetIp().value());
    return bytes;
  }

  static Optional<Packet> parse(byte[] frame) {
    if (frame.length < Packet.ETHERNET_HEADER) {
      return Optional.empty();
    }
    int etherType = ByteBuffer.wrap(frame).getShort(12) & 0xffff;
    return switch (etherType) {
      case 0x0800 -> parseIp(frame);
      case 0x0806, 0x8035 -> parseArp(frame, etherType);
      // A value below 0x600 is a length (IEEE 802.3), which no station here sends. Most likely the
      // frame is a
      // page of zeros.
      default ->
          etherType < 0x600
              ? Optional.empty()
              : Optional.of(new Packet.Other(etherType, ByteBuffer.wrap(frame).asReadOnlyBuffer()));
    };
  }

  private static Optional<Packet> parseArp(byte[] frame, int etherType) {
    ByteBuffer in = ByteBuffer.wrap(frame);
    if (frame.length < ARP_END || in.getInt(IP) != 0x00010800 || in.getShort(IP + 4) != 0x0604) {
      return Optional.empty();
    }
    int operation = in.getShort(IP + 6);
    MacAddress source = MacAddress.of(frame, 6);
    MacAddress sender = MacAddress.of(frame, IP + 8);
    if (etherType == 0x8035) {
      return operation == 3 && sender.equals(source)
          ? Optional.of(new Packet.Rarp(sender))
          : Optional.empty();
    }
    if (operation != 1 && operation != 2) {
      return Optional.empty();
    }
    return Optional.of(
        new Packet.Arp(
            MacAddress.of(frame, 0),
            source,
            operation,
            sender,
            new Ipv4Address(in.getInt(IP + 14)),
            MacAddress.of(frame, IP + 18),
            new Ipv4Address(in.getInt(IP + 24))));
  }

  private static Optional<Packet> parseIp(byte[] frame) {
    ByteBuffer in = ByteBuffer.wrap(frame);
    if (frame.length < ICMP || in.get(IP) != 0x45 || checksum(frame, IP, 20) != 0) {
      return Optional.empty();
    }
    int total = in.getShort(IP + 2) & 0xffff;
    if (total < 20 || IP + total > frame.length) {
      return Optional.empty();
    }
    // 0x3fff: "more fragments" and the offset.
    boolean fragment = (in.getShort(IP + 6) & 0x3fff) != 0;
    if (in.get(IP + 9) != 1 || fragment) {
      return Optional.of(new Packet.Other(0x0800, in.asReadOnlyBuffer()));
    }
    if (total < 28 || checksum(frame, ICMP, total - 20) != 0) {
      return Optional.empty();
    }
    int type = in.get(ICMP);
    if ((type != 0 && type != 8) || in.get(ICMP + 1) != 0) {
      return Optional.of(new Packet.Other(0x0800, in.asReadOnlyBuffer()));
    }
    return Optional.of(
        new Packet.Echo(
            MacAddress.of(frame, 0),
            MacAddress.of(frame, 6),
            new Ipv4Address(in.getInt(IP + 12)),
            new Ipv4Address(in.getInt(IP + 16)),
            type == 0,
            in.getShort(ICMP + 4) & 0xffff,
            in.getShort(ICMP + 6) & 0xffff,
            in.slice(ECHO_PAYLOAD, total - 28).asReadOnlyBuffer()));
  }

  /**
   * Returns the Internet checksum (RFC 1071), which is 0 over a range that contains a correct one.
   */
  static int checksum(byte[] bytes, int from, int length) {
    long sum = 0;
    for (int i = 0; i < length; i++) {
      int value = bytes[from + i] & 0xff;
      sum += (i & 1) == 0 ? value << 8 : value;
    }
    while (sum > 0xffff) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return (int) (~sum & 0xffff);
  }

  private static ByteBuffer ethernet(
      byte[] bytes, MacAddress destination, MacAddress source, int type) {
    ByteBuffer out = ByteBuffer.wrap(bytes);
    out.put(0, destination.bytes()).put(6, source.bytes()).putShort(12, (short) type);
    return out;
  }
}
