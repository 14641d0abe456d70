package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Sections in a stream: of others, early ones, in packages, left out and added. */
class StreamSectionsTest {
  private static final String NET = "virtio-mmio@00000000feb02e00/virtio-net";

  private static byte[] rewritten(
      byte[] stream, Function<StreamRecord, Optional<StreamRecord>> change) {
    var out = new ByteArrayOutputStream();
    StreamRewriter.rewrite(
        new ByteArrayInputStream(stream), out, QemuStreamReader.builder(), change);
    return out.toByteArray();
  }

  private static VirtioNetState state() {
    return VirtioNetVmState.decode(ByteBuffer.wrap(Fixtures.load(Fixtures.MMIO)), 1);
  }

  private static VirtioNetState withMac(String mac) {
    return state().withNet(state().net().withMac(MacAddress.parse(mac)));
  }

  private static SectionBody bodyOf(List<StreamRecord> records, String idstr) {
    return records.stream()
        .filter(StreamRecord.Section.class::isInstance)
        .map(StreamRecord.Section.class::cast)
        .filter(section -> section.header().idstr().equals(idstr))
        .findFirst()
        .orElseThrow()
        .body();
  }

  // ---- of others ----

  @Test
  void aHandlerPassesASectionThatNobodyDescribes() {
    StreamBytes stream = new StreamBytes();
    stream.begin(4, 1, "timer", 0, 1).u32("", 2).bytes(new byte[] {5, 6}).footer(1);
    stream.begin(1, 2, "bitmap", 0, 1).u8(9).footer(2).part(3, 2).u8(8).footer(2).u8(0);
    var reader =
        QemuStreamReader.builder()
            .handler("timer", (_, in) -> in.skip(in.u32()))
            .handler("bitmap", (header, in) -> in.expect(in.u8() > 7, header.part() + " above 7"))
            .open(ByteBuffer.wrap(stream.toArray()));

    List<StreamRecord> records = StreamReading.all(reader);

    assertThat(bodyOf(records, "timer"))
        .isEqualTo(new SectionBody.Opaque(Bytes.copyOf(new byte[] {0, 0, 0, 2, 5, 6})));
    assertThat(records).hasSize(4);
  }

  @Test
  void whatAHandlerRefusesIsOfThatSection() {
    StreamBytes stream = new StreamBytes();
    stream.begin(4, 1, "timer", 0, 1).u32("", 2).footer(1).u8(0);
    for (SectionHandler handler :
        List.<SectionHandler>of(
            (_, in) -> in.expect(in.u8() == 1, "a one"),
            (_, in) -> in.skip(-1),
            (_, in) -> in.skip(1L << 40),
            (_, in) -> in.u16(),
            (_, in) -> {
              while (true) {
                in.u64();
              }
            })) {
      var reader =
          QemuStreamReader.builder()
              .handler("timer", handler)
              .open(ByteBuffer.wrap(stream.toArray()));

      assertThatThrownBy(() -> StreamReading.all(reader))
          .isInstanceOfSatisfying(
              VmStateException.class, e -> assertThat(e.section()).isEqualTo("timer"));
    }
  }

  @Test
  void theBytesOfTheLastSectionCanBeHad() {
    QemuStreamReader reader =
        QemuStreamReader.builder().open(new ByteArrayInputStream(StreamBytes.whole().toArray()));
    int sections = 0;
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      switch (next.get()) {
        case StreamRecord.Section(_, SectionBody.VirtioNet(var state)) -> {
          assertThat(reader.lastBody().toArray()).isEqualTo(VirtioNetVmState.encode(state));
          sections++;
        }
        case StreamRecord.Section(_, SectionBody.Opaque(var bytes)) -> {
          assertThat(reader.lastBody()).isEqualTo(bytes);
          sections++;
        }
        default -> assertThat(reader.lastBody().size()).isZero();
      }
    }
    assertThat(sections).isEqualTo(2);
  }

  @Test
  void aPackageHoldsSectionsAndCommands() {
    StreamBytes inside = new StreamBytes();
    int header = inside.toArray().length;
    inside.command(4).begin(4, 6, NET, 0, 11).bytes(Fixtures.load(Fixtures.MMIO)).footer(6);
    byte[] all = inside.toArray();
    byte[] records = Arrays.copyOfRange(all, header, all.length);
    StreamBytes stream = new StreamBytes();
    stream.command(7, ByteBuffer.allocate(4).putInt(records.length).array()).bytes(records).u8(0);
    byte[] bytes = stream.toArray();

    List<StreamRecord> read = StreamReading.all(bytes);

    assertThat(read.getFirst())
        .isInstanceOfSatisfying(
            StreamRecord.Packaged.class,
            p -> {
              assertThat(p.records()).hasSize(2);
              assertThat(bodyOf(p.records(), NET)).isEqualTo(new SectionBody.VirtioNet(state()));
            });
    assertThat(rewritten(bytes, Optional::of)).isEqualTo(bytes);
  }

  @Test
  void aPackageIsNotTakenAtItsWord() {
    for (int length : new int[] {-1, 1 << 25, 1 << 24, 5}) {
      StreamBytes stream = new StreamBytes();
      stream.command(7, ByteBuffer.allocate(4).putInt(length).array());
      assertThat(StreamReading.refused(stream.toArray())).as("%d", length).isNotNull();
    }
    StreamBytes nested = new StreamBytes();
    byte[] one = {8, 0, 7, 0, 4, 0, 0, 0, 0};
    nested.command(7, ByteBuffer.allocate(4).putInt(one.length).array()).bytes(one);
    assertThat(StreamReading.refused(nested.toArray()))
        .hasMessageContaining("a package of at most 16777216 bytes that is in no other");
    StreamBytes ended = new StreamBytes();
    ended.command(7, new byte[] {0, 0, 0, 1}).u8(0);
    assertThat(StreamReading.refused(ended.toArray())).hasMessageContaining("no end of the stream");
  }

  // ---- changed ----

  @Test
  void aSectionOfTheSameSizeLeavesTheDescriptionAsItWas() {
    int size = Fixtures.load(Fixtures.MMIO).length;
    byte[] stream = withDescription(described(size));

    byte[] changed =
        rewritten(
            stream,
            record ->
                Optional.of(
                    record instanceof StreamRecord.Section(var h, SectionBody.VirtioNet _)
                        ? new StreamRecord.Section(
                            h, new SectionBody.VirtioNet(withMac("52:54:00:00:00:09")))
                        : record));

    assertThat(changed).hasSameSizeAs(stream).isNotEqualTo(stream);
    assertThat(bodyOf(StreamReading.all(changed), NET))
        .isEqualTo(new SectionBody.VirtioNet(withMac("52:54:00:00:00:09")));
  }

  @Test
  void aSectionOfAnotherSizeIsDescribedAnew() {
    RssState rss =
        new RssState(
            true,
            true,
            false,
            1,
            OptionalInt.empty(),
            0,
            Bytes.zeros(40),
            Collections.nCopies(128, 0));
    NetState n = state().net();
    VirtioNetState larger = state().withNet(n.withRss(Optional.of(rss)));
    byte[] described = withDescription(described(1));

    byte[] changed =
        rewritten(
            described,
            record ->
                Optional.of(
                    record instanceof StreamRecord.Section(var h, SectionBody.VirtioNet _)
                        ? new StreamRecord.Section(h, new SectionBody.VirtioNet(larger))
                        : record));

    List<StreamRecord> records = StreamReading.all(changed);
    assertThat(bodyOf(records, NET)).isEqualTo(new SectionBody.VirtioNet(larger));
    String json = ((StreamRecord.Description) records.getLast()).json();
    assertThat(json)
        .contains("{\"name\": \"timer\", \"instance_id\": 0")
        .contains("virtio-net-device/rss")
        .doesNotContain("[{\"size\": 1}]");
    for (Object device :
        JsonValues.list(JsonValues.object(JsonValues.parse(json)).get("devices"))) {
      if (NET.equals(JsonValues.object(device).get("name"))) {
        assertThat(
                DescriptionFollower.follow(
                    JsonValues.object(device), VirtioNetVmState.encode(larger)))
            .containsEntry("", "");
      }
    }
  }

  private static String described(int size) {
    return "{\"name\": \"%s\", \"instance_id\": 0, \"fields\": [{\"size\": %d}]}, "
        .formatted(NET, size);
  }

  private static byte[] withDescription(String moreEntries) {
    byte[] whole = StreamBytes.whole().toArray();
    String json = StreamDescription.find(ByteBuffer.wrap(whole)).orElseThrow();
    StreamBytes description = new StreamBytes();
    int header = description.toArray().length;
    description.description(
        json.replace("[{\"name\": \"timer\"", "[" + moreEntries + "{\"name\": \"timer\""));
    byte[] trailer = description.toArray();
    int kept = whole.length - json.length() - 5;
    byte[] joined = Arrays.copyOf(whole, kept + trailer.length - header);
    System.arraycopy(trailer, header, joined, kept, trailer.length - header);
    return joined;
  }

  @Test
  void aSectionThatIsLeftOutIsNotDescribedAnyMore() {
    byte[] without =
        rewritten(
            StreamBytes.whole().toArray(),
            record ->
                record instanceof StreamRecord.Section(var h, _) && h.idstr().equals("timer")
                    ? Optional.empty()
                    : Optional.of(record));

    List<StreamRecord> records = StreamReading.all(without);
    assertThat(((StreamRecord.Description) records.getLast()).json()).doesNotContain("timer");
  }

  // ---- early ----

  @Test
  void earlySectionsOfBothFormsAreReadAndFoundTheirDevices() {
    List<String> devices = List.of("0000:00:03.0", "0000:00:04.0");
    for (EarlyForm form : EarlyForm.values()) {
      var out = new ByteArrayOutputStream();
      QemuStreamWriter writer = new QemuStreamWriter(out);
      VirtioNetState pci =
          VirtioNetVmState.decode(
              ByteBuffer.wrap(Fixtures.load(Fixtures.PCI_LEGACY)), Fixtures.PCI);
      for (int i = 0; i < devices.size(); i++) {
        writer.write(
            new StreamRecord.Section(
                form.header(10 + i, devices, i), new SectionBody.VirtioNet(pci)));
      }
      writer.write(new StreamRecord.EndOfStream());

      List<StreamRecord> records = StreamReading.all(out.toByteArray());

      for (int i = 0; i < devices.size(); i++) {
        var section = (StreamRecord.Section) records.get(i);
        assertThat(section.body()).isEqualTo(new SectionBody.VirtioNet(pci));
        assertThat(EarlyForm.deviceOf(section.header(), devices)).as("%s", form).isEqualTo(i);
      }
    }
  }

  @Test
  void afterHotPluggingOnlyThePathPairsThemRightly() {
    List<String> source = List.of("0000:00:03.0", "0000:00:04.0");
    List<String> destination = List.of("0000:00:04.0", "0000:00:03.0");

    assertThat(EarlyForm.deviceOf(EarlyForm.BY_ORDER.header(1, source, 0), destination))
        .as("the device that was made first there is another")
        .isZero();
    assertThat(EarlyForm.deviceOf(EarlyForm.BY_PATH.header(1, source, 0), destination))
        .isEqualTo(1);
  }

  @Test
  void anEarlySectionOfNoDeviceIsOfNone() {
    List<String> devices = List.of("0000:00:03.0");

    for (SectionHeader header :
        List.of(
            SectionHeader.full(1, "virtio-net-early", 1, 11),
            SectionHeader.full(1, "virtio-net-early", -1, 11),
            SectionHeader.full(1, "0000:00:05.0/virtio-net-early", 0, 11),
            SectionHeader.full(1, "0000:00:03.0/virtio-net", 0, 11),
            SectionHeader.full(1, "timer", 0, 1))) {
      assertThat(EarlyForm.deviceOf(header, devices)).as("%s", header).isEqualTo(-1);
    }
  }
}
