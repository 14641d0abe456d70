package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class RoundTripTest {

  @Test
  void anyStateDecodesToItself() {
    for (long seed = 0; seed < 600; seed++) {
      VirtioNetState state = new RandomStates(seed).next();

      byte[] body = VirtioNetVmState.encode(state);
      VirtioNetState decoded =
          VirtioNetVmState.decode(ByteBuffer.wrap(body), SectionShape.of(state));

      assertThat(decoded).as("seed %d", seed).isEqualTo(state);
    }
  }

  @Test
  void bothKindsHaveTheSameBodyUnderTheirOwnNames() {
    VirtioNetState state = new RandomStates(7).next();
    SectionShape shape = SectionShape.of(state);

    DeviceRecord early = VirtioNetVmState.toRecord("net0", DeviceRecord.Kind.EARLY, 3, state);
    DeviceRecord last = VirtioNetVmState.toRecord("net0", DeviceRecord.Kind.FINAL, 4, state);

    assertThat(early.body()).isEqualTo(last.body());
    assertThat(VirtioNetVmState.fromRecord(early, shape)).isEqualTo(state);
    assertThat(VirtioNetVmState.fromRecord(last, shape)).isEqualTo(state);
    assertThat(VirtioNetVmState.sectionName(DeviceRecord.Kind.EARLY)).isEqualTo("virtio-net-early");
    assertThat(VirtioNetVmState.sectionName(DeviceRecord.Kind.FINAL)).isEqualTo("virtio-net");
  }

  @Test
  void aDeviceTravels() {
    VirtioNet source =
        VirtioNet.builder("net0")
            .maxQueuePairs(4)
            .mac(MacAddress.parse("02:00:00:00:00:09"))
            .build();
    source.setStatus(3);
    source.setDriverFeatures(source.deviceFeatures());
    source.setStatus(0xB);
    source.configureQueue(0, 128, 0x1000, 0x2000, 0x3000);
    source.configureQueue(8, 64, 0x4000, 0x5000, 0x6000);
    source.setStatus(DeviceStatus.RUNNING);
    source.mtu(9000);
    VirtioNet destination = VirtioNet.builder("net0").maxQueuePairs(4).build();

    byte[] body = VirtioNetVmState.encode(source.snapshot());
    destination.restore(
        VirtioNetVmState.decode(ByteBuffer.wrap(body), SectionShape.of(destination)));

    assertThat(destination.snapshot()).isEqualTo(source.snapshot());
    assertThat(destination.queue(0)).isEqualTo(source.queue(0));
    assertThat(destination.mtu()).isEqualTo(9000);
    assertThat(destination.live()).isTrue();
  }

  @Test
  void thePartsThatNoSampleHas() {
    NetState n = VirtioNet.builder("net0").build().snapshot().net();
    RssState rss =
        new RssState(
            true, true, false, 0x3F, OptionalInt.of(0x1FF), 2, Bytes.zeros(40), List.of(1, 0x203));
    Bytes chunk = Bytes.copyOf(new byte[] {9, 8, 7});

    assertThat(tail(n.withRss(Optional.of(rss)).withBackEnd(Optional.of(List.of(chunk)))))
        .startsWith(
            "0515"
                + hex("virtio-net-device/rss")
                + "00000002"
                + "010100"
                + "0000003f"
                + "000001ff"
                + "0002"
                + "0002"
                + "00".repeat(40)
                + "0001"
                + "0203"
                + "0519"
                + hex("virtio-net-device/backend")
                + "00000000"
                + "00000003"
                + "090807"
                + "00000000"
                + "0515"
                + hex("virtio/64bit_features")
                + "00000001");
    RssState older =
        new RssState(true, true, false, 0x3F, OptionalInt.empty(), 2, Bytes.zeros(40), List.of());
    assertThat(tail(n.withRss(Optional.of(older)).withBackEnd(Optional.empty())))
        .startsWith(
            "0515"
                + hex("virtio-net-device/rss")
                + "00000001"
                + "010100"
                + "0000003f"
                + "0000"
                + "0002"
                + "00".repeat(40)
                + "0515");
  }

  /** A section from its first subsection on, in hexadecimal. */
  private static String tail(NetState net) {
    VirtioNetState state = VirtioNet.builder("net0").build().snapshot();
    String all =
        HexFormat.of()
            .formatHex(
                VirtioNetVmState.encode(
                    new VirtioNetState(
                        state.offer(), state.transport(), state.common(), net, state.queues())));
    return all.substring(all.indexOf("0515" + hex("virtio")));
  }

  private static String hex(String text) {
    return HexFormat.of().formatHex(text.getBytes(StandardCharsets.US_ASCII));
  }

  @Test
  void thePositionMovesBehindWhatWasRead() {
    VirtioNetState state = new RandomStates(11).next();
    byte[] body = VirtioNetVmState.encode(state);
    ByteBuffer in = ByteBuffer.allocate(body.length + 20).put(10, body);
    in.position(10).limit(10 + body.length);

    VirtioNetVmState.decode(in, SectionShape.of(state));

    assertThat(in.position()).isEqualTo(10 + body.length);
  }
}
