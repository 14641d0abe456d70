package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The virtio-net sections of streams that a real QEMU 7.2 wrote: our own copies of the sections,
 * and the streams themselves where they lie next to the repository.
 */
class QemuStreamSamplesTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a2_q35_transitional_default",
        "a_pc_transitional_default",
        "b2_pc_legacy_only",
        "b_pc_modern",
        "c_pc_mq4",
        "d_pc_packed",
        "e2_tap_rss_hash_paused",
        "e_vhostuser_rss_hash",
        "f4_booted_pc_legacy_intx",
        "f_booted_q35_q1_vlan_mac",
        "g2_microvm_mmio_modern_mq2",
        "g4_booted_microvm_legacy",
        "g_microvm_mmio",
        "i_two_nics_q35_mq2",
      })
  void everyFixtureHasTheValuesBesideItAndIsWrittenBack(String name) {
    List<Object> sections = JsonValues.list(JsonValues.parse(text(name + ".virtio.json")));
    assertThat(sections).isNotEmpty();
    for (int i = 0; i < sections.size(); i++) {
      byte[] body = Fixtures.load(name + "." + i + ".bin.gz");
      Map<String, Object> values = JsonValues.object(sections.get(i));
      assertThat(body).hasSize((int) JsonValues.number(values.get("body_len")));
      SectionValues.check(name, body, 0, values);
    }
  }

  private static String text(String name) {
    try (InputStream in = QemuStreamSamplesTest.class.getResourceAsStream("/vmstate/" + name)) {
      if (in == null) {
        throw new IllegalStateException("no fixture " + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void everySectionOfTheStreamsHasTheDescribedValuesAndIsWrittenBack() throws IOException {
    for (String name : SampleStreams.names()) {
      byte[] stream = SampleStreams.load(name);
      Path values = SampleStreams.values(name);
      for (Object entry : JsonValues.list(JsonValues.parse(Files.readString(values)))) {
        Map<String, Object> section = JsonValues.object(entry);
        // The body as part of its stream: it ends by itself, in front of the footer.
        int offset = (int) JsonValues.number(section.get("body_offset"));
        SectionValues.check(name, stream, offset, section);
      }
    }
  }
}
