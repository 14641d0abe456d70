package io.github.jvhost.testkit.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.github.jvhost.virtio.MacAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PacketTest {
  private static final MacAddress A = MacAddress.parse("02:00:00:00:00:0a");
  private static final MacAddress B = MacAddress.parse("52:54:00:12:34:56");
  private static final Ipv4Address IP_A = Ipv4Address.of(10, 0, 0, 1);
  private static final Ipv4Address IP_B = Ipv4Address.of(192, 168, 255, 2);

  private static Packet.Echo echo(int payload) {
    return new Packet.Echo(
        A, B, IP_B, IP_A, false, 0xfffe, 0x8001, new EchoPayload(7, 1L << 40, payload).encode());
  }

  @Test
  void aRarpIsExactlyTheSixtyBytesOfAVmmsAnnouncement() {
    assertThat(HexFormat.of().formatHex(new Packet.Rarp(B).encode()))
        .isEqualTo(
            "ffffffffffff525400123456"
                + "8035"
                + "0001"
                + "0800"
                + "0604"
                + "0003"
                + "525400123456"
                + "00000000"
                + "525400123456"
                + "00000000"
                + "000000000000000000000000000000000000");
  }

  @Test
  void anEchoRequestHasTheChecksumsOfRfc791And792() {
    byte[] frame =
        new Packet.Echo(A, B, IP_B, IP_A, false, 1, 2, ByteBuffer.wrap(new byte[] {1, 2, 3}))
            .encode();
    // By hand: 4500 001f 0000 0000 4001 c0a8ff02 0a000001 and 0800 0001 0002 0102 0300.
    assertThat(HexFormat.of().formatHex(frame, 14, 14 + 20 + 11))
        .isEqualTo("4500001f000000004001b132c0a8ff020a000001" + "0800f3fa00010002010203");
  }

  @Test
  void everyKindComesBackAsItWas() {
    Packet.Arp arp = Packet.Arp.request(A, IP_A, IP_B);
    for (Packet packet :
        new Packet[] {
          echo(16),
          echo(17),
          echo(1472),
          echo(200).answer(A),
          arp,
          arp.answer(B),
          new Packet.Rarp(B)
        }) {
      assertThat(Packet.parse(packet.encode())).contains(packet);
    }
    assertThat(Packet.Arp.gratuitous(A, IP_A).announces()).isTrue();
    assertThat(arp.announces()).isFalse();
  }

  @Test
  void anyBitThatIsWrongBelowTheEthernetHeaderOfAnEchoShows() {
    Packet.Echo sent = echo(64);
    byte[] frame = sent.encode();
    for (int bit = 14 * 8; bit < frame.length * 8; bit++) {
      byte[] damaged = frame.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      assertThat(Packet.parse(damaged)).as("bit %d", bit).isEmpty();
    }
  }

  @Test
  void aTruncatedFrameIsNoPacket() {
    byte[] frame = echo(64).encode();
    for (int length = 0; length < frame.length; length++) {
      byte[] part = Arrays.copyOf(frame, length);
      assertThat(Packet.parse(part)).as("%d bytes", length).isEmpty();
    }
    byte[] arp = Packet.Arp.gratuitous(A, IP_A).encode();
    assertThat(Packet.parse(Arrays.copyOf(arp, 41))).isEmpty();
    assertThat(Packet.parse(Arrays.copyOf(arp, 42))).isPresent();
    assertThat(Packet.parse(new byte[200])).as("zeros").isEmpty();
  }

  @Test
  void noBytesMakeTheParserThrow() {
    long seed = 20261122;
    SplittableRandom random = new SplittableRandom(seed);
    byte[][] starts = {
      echo(64).encode(), Packet.Arp.gratuitous(A, IP_A).encode(), new Packet.Rarp(B).encode()
    };
    for (int i = 0; i < 100_000; i++) {
      byte[] frame = starts[i % 3].clone();
      for (int n = random.nextInt(1, 6); n > 0; n--) {
        frame[random.nextInt(12, Math.min(frame.length, 50))] = (byte) random.nextInt();
      }
      byte[] input = Arrays.copyOf(frame, random.nextInt(frame.length + 1));
      assertThatCode(() -> Packet.parse(input))
          .as("seed %d, frame %d", seed, i)
          .doesNotThrowAnyException();
    }
  }

  @Test
  void anEchoPayloadProvesItself() {
    EchoPayload payload = new EchoPayload(3, 123_456_789_012L, 100);
    ByteBuffer bytes = payload.encode();
    assertThat(EchoPayload.parse(bytes)).contains(payload);
    for (int i = 0; i < 100; i++) {
      ByteBuffer damaged = ByteBuffer.allocate(100).put(bytes.duplicate()).flip();
      damaged.put(i, (byte) (damaged.get(i) ^ 1));
      assertThat(EchoPayload.parse(damaged)).as("byte %d", i).isNotEqualTo(Optional.of(payload));
      if (i < 4 || i >= 16) {
        assertThat(EchoPayload.parse(damaged)).as("byte %d", i).isEmpty();
      }
    }
    assertThat(EchoPayload.parse(ByteBuffer.allocate(15))).isEmpty();
    assertThat(EchoPayload.parse(ByteBuffer.allocate(2000))).isEmpty();
  }
}
