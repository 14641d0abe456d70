package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * The state of a back end in a section that QEMU wrote. It is put in here byte by byte, and not by
 * our own writer: | 05 | 19 | virtio-net-device/backend | version 0 | n u32, n bytes, ... | 0 u32
 * |.
 */
class BackEndSectionTest {
  private static final String NAME = "virtio-net-device/backend";
  private static final String PATH = "virtio/virtio-net-device/" + NAME;
  private static final byte[] QEMUS = Fixtures.load(Fixtures.PCI_MODERN);

  /** Behind the fields of virtio-net, where its own subsections are. */
  private static final int AT =
      new String(QEMUS, StandardCharsets.ISO_8859_1).indexOf("virtio/64bit_features") - 2;

  private static final int CHUNKS = AT + 2 + NAME.length() + 4;

  /** QEMU's section with a subsection whose content is this. */
  private static byte[] section(int version, byte[] content) {
    ByteBuffer all = ByteBuffer.allocate(QEMUS.length + 2 + NAME.length() + 4 + content.length);
    all.put(QEMUS, 0, AT);
    all.put((byte) 5).put((byte) 0x19).put(NAME.getBytes(StandardCharsets.US_ASCII));
    all.putInt(version).put(content);
    return all.put(QEMUS, AT, QEMUS.length - AT).array();
  }

  private static byte[] chunks(List<Bytes> chunks) {
    ByteBuffer all =
        ByteBuffer.allocate(4 + chunks.stream().mapToInt(chunk -> 4 + chunk.size()).sum());
    chunks.forEach(chunk -> all.putInt(chunk.size()).put(chunk.toArray()));
    return all.putInt(0).array();
  }

  private static Bytes random(SplittableRandom random, int size) {
    byte[] bytes = new byte[size];
    random.nextBytes(bytes);
    return Bytes.copyOf(bytes);
  }

  private static VirtioNetState decode(byte[] section) {
    return VirtioNetVmState.decode(ByteBuffer.wrap(section), Fixtures.PCI);
  }

  private static VirtioNetState with(Bytes... chunks) {
    VirtioNetState state = decode(QEMUS);
    return state.withNet(state.net().withBackEnd(Optional.of(List.of(chunks))));
  }

  @Test
  void chunksAreReadAndWrittenBackByteForByte() {
    SplittableRandom random = new SplittableRandom(20261129);
    for (int round = 0; round < 40; round++) {
      List<Bytes> chunks = new ArrayList<>();
      for (int n = random.nextInt(6); n > 0; n--) {
        chunks.add(random(random, 1 + random.nextInt(round == 7 ? 1 << 20 : 3000)));
      }
      byte[] section = section(0, chunks(chunks));

      VirtioNetState state = decode(section);

      assertThat(state.net().backEnd()).as("round %d", round).contains(chunks);
      assertThat(state.withNet(state.net().withBackEnd(Optional.empty()))).isEqualTo(decode(QEMUS));
      assertThat(VirtioNetVmState.encode(state)).as("round %d", round).isEqualTo(section);
    }
  }

  @Test
  void theLargestChunkIsOneMebibyte() {
    Bytes largest = Bytes.zeros(1 << 20);

    assertThat(decode(section(0, chunks(List.of(largest)))).net().backEnd())
        .contains(List.of(largest));
    refused(
        0, chunks(List.of(Bytes.zeros((1 << 20) + 1))), 0, "at most 1048576 bytes, not 1048577");
    refused(0, new byte[] {-1, -1, -1, -1}, 0, "at most 1048576 bytes, not 4294967295");
  }

  @Test
  void allOfItIsBounded() {
    List<Bytes> full = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      full.add(Bytes.zeros(1 << 20));
    }
    assertThat(decode(section(0, chunks(full))).net().backEnd()).contains(full);
    full.add(Bytes.zeros(1));

    refused(0, chunks(full), 64 * (4 + (1 << 20)), "at most 67108864 bytes in all");
    NetState net = VirtioNet.builder("net0").build().snapshot().net();
    assertThatThrownBy(() -> net.withBackEnd(Optional.of(full)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a back end's state of 67108865 bytes in 65 chunks");
  }

  @Test
  void soIsTheNumberOfItsChunks() {
    ByteBuffer many = ByteBuffer.allocate(5 * (NetState.MAX_CHUNKS + 1) + 4);
    for (int i = 0; i <= NetState.MAX_CHUNKS; i++) {
      many.putInt(1).put((byte) 9);
    }

    refused(0, many.array(), 5 * NetState.MAX_CHUNKS, "in at most 1048576 chunks");
  }

  @Test
  void anotherVersionIsRefused() {
    VmStateException e =
        catchThrowableOfType(VmStateException.class, () -> decode(section(1, chunks(List.of()))));

    assertThat(e).hasMessageContaining(NAME + " of version 0 to 0, it is 1");
  }

  @Test
  void withoutItsEndItIsRefused() {
    byte[] section = section(0, chunks(List.of(Bytes.zeros(300), Bytes.zeros(20))));
    int end = CHUNKS + 4 + 300 + 4 + 20 + 4;
    for (int length = CHUNKS; length < end; length++) {
      byte[] cut = Arrays.copyOf(section, length);
      assertThatThrownBy(() -> decode(cut))
          .as("length %d", length)
          .isInstanceOfSatisfying(
              VmStateException.class, e -> assertThat(e.path()).isEqualTo(PATH + "/backend"));
    }
  }

  @Test
  void whateverIsTurnedOverEndsAsAStateOrAsOneException() {
    byte[] section = section(0, chunks(List.of(Bytes.zeros(20), Bytes.zeros(7))));
    for (int bit = 8 * AT; bit < 8 * (CHUNKS + 4 + 20 + 4 + 7 + 4); bit++) {
      byte[] wrong = section.clone();
      wrong[bit / 8] ^= (byte) (1 << bit % 8);
      VirtioNetState state;
      try {
        state = decode(wrong);
      } catch (VmStateException e) {
        assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP);
        continue;
      }
      assertThat(VirtioNetVmState.encode(state)).as("bit %d", bit).isEqualTo(wrong);
    }
  }

  private static void refused(int version, byte[] content, int behindStart, String expected) {
    VmStateException e =
        catchThrowableOfType(VmStateException.class, () -> decode(section(version, content)));
    assertThat(e).as(expected).hasMessageEndingWith(expected);
    assertThat(e.path()).isEqualTo(PATH + "/backend");
    assertThat(e.offset()).isEqualTo(CHUNKS + behindStart);
  }

  @Test
  void aWholeStreamWithItIsWrittenBackByteForByte() {
    byte[] section = section(0, chunks(List.of(Bytes.zeros(70_000), Bytes.zeros(3))));
    StreamBytes stream = new StreamBytes().configuration("pc-q35-10.0");
    stream.begin(4, 6, "0000:00:03.0/virtio-net", 0, 11).bytes(section).footer(6);
    byte[] bytes = stream.u8(0).description("{\"page_size\": 4096, \"devices\": []}").toArray();
    var out = new ByteArrayOutputStream();
    List<SectionBody> bodies = new ArrayList<>();

    StreamRewriter.rewrite(
        new ByteArrayInputStream(bytes),
        out,
        QemuStreamReader.builder(),
        record -> {
          if (record instanceof StreamRecord.Section(var _, var body)) {
            bodies.add(body);
          }
          return Optional.of(record);
        });

    assertThat(bodies)
        .singleElement()
        .isInstanceOfSatisfying(
            SectionBody.VirtioNet.class,
            net -> assertThat(net.state().net().backEnd().orElseThrow()).hasSize(2));
    // A device that the description does not have is put into it; all in front stays.
    int end = bytes.length - "{\"page_size\": 4096, \"devices\": []}".length() - 5;
    assertThat(Arrays.copyOf(out.toByteArray(), end)).isEqualTo(Arrays.copyOf(bytes, end));
  }

  @Test
  void theDescriptionOfAStreamHasItAsQemuDoes() {
    var out = new ByteArrayOutputStream();
    QemuStreamWriter writer = new QemuStreamWriter(out);
    VirtioNetState state = with(Bytes.zeros(1000), Bytes.zeros(24));
    writer.write(
        new StreamRecord.Section(
            SectionHeader.full(3, "0000:00:03.0/virtio-net", 0, 11),
            new SectionBody.VirtioNet(state)));
    writer.write(new StreamRecord.EndOfStream());
    writer.describe(4096);
    String json = StreamDescription.find(ByteBuffer.wrap(out.toByteArray())).orElseThrow();
    Map<String, Object> device =
        JsonValues.object(
            JsonValues.list(JsonValues.object(JsonValues.parse(json)).get("devices")).getFirst());

    assertThat(json)
        .contains(
            """
            {"vmsd_name":"virtio-net-device/backend","version":0,"fields":[{"name":"backend",\
            "type":"virtio-net vhost-user backend state","size":1036}]}\
            """);
    assertThat(DescriptionFollower.follow(device, VirtioNetVmState.encode(state)))
        .containsEntry(PATH + "/version", "00000000")
        .hasEntrySatisfying(
            PATH + "/backend", hex -> assertThat(hex).startsWith("000003e800").endsWith("0000"))
        .containsEntry("", "");
  }

  @Test
  void itsSizeIsTold() {
    VirtioNetState saved = with(Bytes.zeros(1000), Bytes.zeros(24));
    VirtioNetState without = decode(QEMUS);

    assertThat(SavedField.of(saved))
        .filteredOn(field -> field.path().equals("back end state"))
        .singleElement()
        .satisfies(field -> assertThat(field.value().text()).isEqualTo("1024 bytes"));
    assertThat(between(without, saved)).containsExactly("back end state none -> 1024 bytes");
    assertThat(between(without, with())).containsExactly("back end state none -> 0 bytes");
    assertThat(between(saved, with(Bytes.zeros(1023), Bytes.copyOf(new byte[] {1}))))
        .containsExactly("back end state other 1024 bytes");
    assertThat(between(saved, with(Bytes.zeros(1024))))
        .as("where a chunk ends means nothing")
        .isEmpty();
  }

  private static List<String> between(VirtioNetState before, VirtioNetState after) {
    return StateDifference.between(before, after).stream().map(StateDifference::describe).toList();
  }
}
