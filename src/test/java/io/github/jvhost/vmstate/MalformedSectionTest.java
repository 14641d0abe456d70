package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * What comes from the other side may be anything: it ends as a state that can be written again, or
 * as one exception.
 */
class MalformedSectionTest {
  // virtio-mmio, legacy: transport 12, status, isr, queue_sel 2, features 4, config_len 4, config
  // 8, nq 4, rings 18 each.
  private static final int QUEUE_SELECT = 14;
  private static final int FEATURES = 16;
  private static final int CONFIG_LENGTH = 20;
  private static final int QUEUE_COUNT = 32;
  private static final int RING_0 = 36;
  private static final int NET = RING_0 + 3 * 18;
  private static final int MAC_COUNT = NET + 6 + 4 + 4 + 2 + 1 + 1;

  private static final SectionShape MMIO = SectionShape.mmio(1);

  @Test
  void aSectionThatEndsEarlyAtAnyByte() {
    endsEarly(Fixtures.load(Fixtures.MMIO), MMIO, 1);
    endsEarly(Fixtures.load(Fixtures.PCI_LEGACY), Fixtures.PCI, 1);
    endsEarly(Fixtures.load(Fixtures.PCI_MODERN), Fixtures.PCI, 7);
  }

  private static void endsEarly(byte[] body, SectionShape shape, int step) {
    for (int length = 0; length < body.length; length += step) {
      tolerate("length " + length, Arrays.copyOf(body, length), shape);
    }
  }

  @Test
  void withoutItsSubsectionsASectionIsShortOfNothing() {
    // Absent subsections mean defaults: only in front of them is an early end an error.
    byte[] body = Fixtures.load(Fixtures.PCI_LEGACY);
    String text = new String(body, StandardCharsets.ISO_8859_1);
    int subsections = text.indexOf("virtio/extra_state") - 2;

    for (int length = 0; length < subsections; length++) {
      byte[] cut = Arrays.copyOf(body, length);
      assertThatThrownBy(() -> VirtioNetVmState.decode(ByteBuffer.wrap(cut), Fixtures.PCI))
          .as("length %d", length)
          .isInstanceOf(VmStateException.class);
    }
    byte[] cut = Arrays.copyOf(body, subsections);
    assertThat(VirtioNetVmState.decode(ByteBuffer.wrap(cut), Fixtures.PCI).common().started())
        .isFalse();
  }

  @Test
  void anyBitTurnedOver() {
    flipEach(Fixtures.load(Fixtures.MMIO), MMIO);
    flipEach(Fixtures.load(Fixtures.PCI_LEGACY), Fixtures.PCI);
  }

  private static void flipEach(byte[] body, SectionShape shape) {
    for (int bit = 0; bit < body.length * 8; bit++) {
      byte[] wrong = body.clone();
      wrong[bit / 8] ^= (byte) (1 << bit % 8);
      tolerate("bit " + bit, wrong, shape);
    }
  }

  @Test
  void manyBytesTurnedOver() {
    long seed = 20261122;
    SplittableRandom random = new SplittableRandom(seed);
    byte[] body = Fixtures.load(Fixtures.PCI_MODERN);
    for (int round = 0; round < 3000; round++) {
      byte[] wrong = body.clone();
      // Most of a section is zero and its tail says where things are: both ends are hit.
      int from = random.nextBoolean() ? 0 : random.nextInt(body.length);
      for (int i = 1 + random.nextInt(8); i > 0; i--) {
        int at = Math.min(body.length - 1, from + random.nextInt(1200));
        wrong[at] = (byte) random.nextInt();
      }
      tolerate("seed " + seed + ", round " + round, wrong, Fixtures.PCI);
    }
  }

  @Test
  void anythingAtAll() {
    long seed = 42;
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 5000; round++) {
      byte[] noise = new byte[random.nextInt(2000)];
      random.nextBytes(noise);
      tolerate(
          "seed " + seed + ", round " + round, noise, random.nextBoolean() ? MMIO : Fixtures.PCI);
    }
  }

  /** Either it is refused in the one way, or it is a state like any other. */
  private static void tolerate(String what, byte[] body, SectionShape shape) {
    VirtioNetState state;
    try {
      state = VirtioNetVmState.decode(ByteBuffer.wrap(body), shape);
    } catch (VmStateException e) {
      assertThat(e.offset()).as(what).isBetween(0L, (long) body.length);
      assertThat(e.recovery()).as(what).isEqualTo(Recovery.GIVE_UP);
      return;
    }
    byte[] again = VirtioNetVmState.encode(state);
    assertThat(VirtioNetVmState.decode(ByteBuffer.wrap(again), shape)).as(what).isEqualTo(state);
  }

  @Test
  void countsOutOfAllReason() {
    refused(u16(QUEUE_SELECT, 1024), "virtio/queue_sel");
    refused(u32(CONFIG_LENGTH, -1), "virtio/config");
    refused(u32(CONFIG_LENGTH, Integer.MAX_VALUE), "virtio/config");
    refused(u32(QUEUE_COUNT, -1), "virtio/nvq");
    refused(u32(QUEUE_COUNT, 1025), "virtio/nvq");
    refused(u32(QUEUE_COUNT, Integer.MIN_VALUE), "virtio/nvq");
    refused(u32(RING_0, 0), "virtio/vq/[0]/num");
    refused(u32(RING_0, -1), "virtio/vq/[0]/num");
    refused(u16(RING_0 + 16, 1), "virtio/vq/[0]/last_avail_idx");
    refused(u32(MAC_COUNT, -1), "virtio/virtio-net-device/mac_table.macs");
    refused(u32(MAC_COUNT, 0x3FFF_FFFF), "virtio/virtio-net-device/mac_table.macs");
    refused(
        u32(FEATURES, (int) NetFeature.CTRL_GUEST_OFFLOADS.mask()),
        "virtio/virtio-net-device/curr_guest_offloads");
  }

  @Test
  void theMessageSaysWhereAndWhat() {
    assertThatThrownBy(() -> VirtioNetVmState.decode(ByteBuffer.wrap(u32(QUEUE_COUNT, 5000)), MMIO))
        .hasMessage(
            "reading section virtio-net, field virtio/nvq, at byte 36: expected at most 1024"
                + " rings");
  }

  @Test
  void anIndirectionTableThatIsNoPowerOfTwo() {
    NetState net = VirtioNet.builder("net0").build().snapshot().net();
    byte[] body = rssOf(net, List.of(0, 1, 0, 1));
    int length = find(body, "virtio-net-device/rss") + 4 + 3 + 4 + 4; // version, flags, hash types

    for (int entries : new int[] {3, 5, 6, 127, 32769, 65535}) {
      ByteBuffer.wrap(body).putShort(length, (short) entries);
      VmStateException e =
          catchThrowableOfType(
              VmStateException.class, () -> VirtioNetVmState.decode(ByteBuffer.wrap(body), MMIO));
      assertThat(e.path())
          .isEqualTo(
              "virtio/virtio-net-device/virtio-net-device/rss/rss_data.tail/indirections_len");
      assertThat(e).hasMessageContaining("a power of two of entries, or none");
    }
  }

  private static byte[] rssOf(NetState net, List<Integer> table) {
    RssState rss = new RssState(true, true, false, 1, OptionalInt.of(1), 0, Bytes.zeros(40), table);
    VirtioNetState state = VirtioNet.builder("net0").build().snapshot();
    return VirtioNetVmState.encode(state.withNet(net.withRss(Optional.of(rss))));
  }

  private static int find(byte[] body, String name) {
    return new String(body, StandardCharsets.ISO_8859_1).indexOf(name) + name.length();
  }

  @Test
  void queuePairsMustAgree() {
    // A device with several pairs finds two numbers more: here it takes the end for them.
    assertThatThrownBy(() ->
            VirtioNetVmState.decode(
                ByteBuffer.wrap(Fixtures.load(Fixtures.MMIO)), SectionShape.mmio(2)))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("max_queue_pairs");
  }

  @Test
  void whatFollowsIsAnErrorUnlessAStreamGoesOn() {
    byte[] body = Fixtures.load(Fixtures.MMIO);
    byte[] more = Arrays.copyOf(body, body.length + 5);
    more[body.length] = 0x7E;
    ByteBuffer in = ByteBuffer.wrap(more);

    assertThatThrownBy(() -> VirtioNetVmState.decode(in, MMIO))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("the end");
    assertThat(in.position()).isZero();

    VirtioNetVmState.decodePrefix(in, MMIO);
    assertThat(in.position()).isEqualTo(body.length);
  }

  private static void refused(byte[] body, String path) {
    VmStateException e =
        catchThrowableOfType(
            VmStateException.class, () -> VirtioNetVmState.decode(ByteBuffer.wrap(body), MMIO));
    assertThat(e).as(path).isNotNull();
    assertThat(e.path()).isEqualTo(path);
    assertThat(e.section()).isEqualTo("virtio-net");
  }

  private static byte[] u16(int at, int value) {
    byte[] body = Fixtures.load(Fixtures.MMIO);
    ByteBuffer.wrap(body).putShort(at, (short) value);
    return body;
  }

  private static byte[] u32(int at, int value) {
    byte[] body = Fixtures.load(Fixtures.MMIO);
    ByteBuffer.wrap(body).putInt(at, value);
    return body;
  }
}
