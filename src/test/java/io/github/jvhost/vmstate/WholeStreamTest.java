package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Sample streams as a whole. */
class WholeStreamTest {

  @Test
  void everySampleIsWrittenAsItWasRead() {
    for (String name : SampleStreams.names()) {
      byte[] stream = SampleStreams.load(name);
      List<StreamRecord> records = new ArrayList<>();

      byte[] copy = copy(stream, records);

      assertThat(copy).as(name).isEqualTo(stream);
      assertThat(records).as(name).hasAtLeastOneElementOfType(StreamRecord.Configuration.class);
      assertThat(records.getLast()).as(name).isInstanceOf(StreamRecord.Description.class);
      assertThat(devices(records)).as(name).isNotEmpty();
    }
  }

  private static byte[] copy(byte[] stream, List<StreamRecord> records) {
    var out = new ByteArrayOutputStream();
    StreamRewriter.rewrite(
        new ByteArrayInputStream(stream),
        out,
        QemuStreamReader.builder(),
        record -> {
          records.add(record);
          return Optional.of(record);
        });
    return out.toByteArray();
  }

  private static List<String> devices(List<StreamRecord> records) {
    return records.stream()
        .filter(StreamRecord.Section.class::isInstance)
        .map(StreamRecord.Section.class::cast)
        .filter(s -> s.body() instanceof SectionBody.VirtioNet)
        .map(s -> s.header().idstr())
        .toList();
  }
}
