package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** The description that we write: with it alone, every field of a section is found. */
class OwnDescriptionTest {
  private static final SectionHeader NET =
      SectionHeader.full(3, "0000:00:03.0/virtio-net", 0, VirtioNetVmState.VERSION);
  private static final SectionHeader OTHER = SectionHeader.full(4, "timer", 0, 2);

  @Test
  void theFieldsOfASectionOfQemusAreFound() {
    byte[] body = Fixtures.load(Fixtures.PCI_LEGACY);

    Map<String, String> fields =
        follow(VirtioNetVmState.decode(ByteBuffer.wrap(body), Fixtures.PCI));

    assertThat(fields)
        .containsEntry("virtio/status", "07")
        .containsEntry("virtio/guest_features", "38afe7e7")
        .containsEntry("virtio/vq[0]/num", "00000100")
        .containsEntry("virtio/vq[1]/last_avail_idx", "0052")
        .containsEntry("virtio/vq[2]/desc", "000000000571e000")
        .containsEntry("virtio/virtio-net-device/mac_table.in_use", "00000003")
        .containsEntry(
            "virtio/virtio-net-device/mac_table.macs", "33330000000101005e0000013333ff000001")
        .containsEntry("virtio/virtio-net-device/curr_guest_offloads", "0000000000000782")
        .containsEntry("virtio/virtio/started/started", "01")
        .containsEntry("", "");
  }

  @Test
  void theArraysOfAModernDeviceAreFound() {
    byte[] body = Fixtures.load(Fixtures.PCI_MODERN);

    Map<String, String> fields =
        follow(VirtioNetVmState.decode(ByteBuffer.wrap(body), Fixtures.PCI));

    assertThat(fields)
        .containsEntry("virtio/virtio/virtqueues/vq[1]/vring.avail", "000000000571d000")
        .containsEntry(
            "virtio/virtio/extra_state/extra_state/virtio_pci/modern_state/vqs[1]/num", "0100")
        .containsEntry(
            "virtio/virtio/extra_state/extra_state/virtio_pci/modern_state/vqs[1]/used[0]",
            "0571d240")
        .containsEntry(
            "virtio/virtio/extra_state/extra_state/virtio_pci/modern_state/vqs[1023]/num", "0000")
        .containsEntry("", "");
  }

  @Test
  void noByteOfAnyStateIsLeftOver() {
    long seed = 20261124;
    RandomStates states = new RandomStates(seed);
    for (int i = 0; i < 300; i++) {
      VirtioNetState state = states.next();
      byte[] body = VirtioNetVmState.encode(state);

      Layout.Structure layout = VirtioNetVmState.layout(DeviceRecord.Kind.FINAL, state);

      assertThat(layout.size()).as("seed %d, state %d", seed, i).isEqualTo(body.length);
      if (i % 10 == 0) {
        assertThat(follow(state)).as("seed %d, state %d", seed, i).containsEntry("", "");
      }
    }
  }

  @Test
  void sectionsOfOthersAreBytesAndTheConfigurationIsThere() {
    Map<String, Object> json = JsonValues.object(JsonValues.parse(description(any())));

    assertThat(json).containsEntry("page_size", 4096L);
    Map<String, Object> configuration = JsonValues.object(json.get("configuration"));
    assertThat(DescriptionFollower.follow(configuration, HexFormat.of().parseHex("0000000370635f")))
        .containsEntry("len", "00000003")
        .containsEntry("name", "70635f")
        .containsEntry("", "");
    Map<String, Object> other = JsonValues.object(JsonValues.list(json.get("devices")).get(1));
    assertThat(other).containsEntry("name", "timer").containsEntry("version", 2L);
    assertThat(DescriptionFollower.follow(other, new byte[] {1, 2, 3}))
        .containsEntry("data", "010203")
        .containsEntry("", "");
  }

  @Test
  void ourReaderFindsTheSectionsOfOthersWithIt() {
    var out = new ByteArrayOutputStream();
    write(out, any());

    List<StreamRecord> records = new ArrayList<>();
    QemuStreamReader reader = QemuStreamReader.builder().open(ByteBuffer.wrap(out.toByteArray()));
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      records.add(next.get());
    }

    assertThat(records)
        .contains(
            new StreamRecord.Section(
                OTHER, new SectionBody.Opaque(Bytes.copyOf(new byte[] {1, 2, 3}))));
  }

  private static VirtioNetState any() {
    return VirtioNetVmState.decode(
        ByteBuffer.wrap(Fixtures.load(Fixtures.PCI_LEGACY)), Fixtures.PCI);
  }

  private static Map<String, String> follow(VirtioNetState state) {
    Map<String, Object> json = JsonValues.object(JsonValues.parse(description(state)));
    Map<String, Object> device = JsonValues.object(JsonValues.list(json.get("devices")).getFirst());
    assertThat(device)
        .containsEntry("name", NET.idstr())
        .containsEntry("instance_id", 0L)
        .containsEntry("version", 11L);
    return DescriptionFollower.follow(device, VirtioNetVmState.encode(state));
  }

  private static String description(VirtioNetState state) {
    var out = new ByteArrayOutputStream();
    write(out, state);
    return StreamDescription.find(ByteBuffer.wrap(out.toByteArray())).orElseThrow();
  }

  private static void write(ByteArrayOutputStream out, VirtioNetState state) {
    QemuStreamWriter writer = new QemuStreamWriter(out);
    writer.write(
        new StreamRecord.Configuration(
            "pc_", OptionalInt.empty(), Optional.empty(), Optional.empty()));
    writer.write(new StreamRecord.Section(NET, new SectionBody.VirtioNet(state)));
    writer.write(
        new StreamRecord.Section(
            OTHER, new SectionBody.Opaque(Bytes.copyOf(new byte[] {1, 2, 3}))));
    writer.write(new StreamRecord.EndOfStream());
    writer.describe(4096);
  }
}
