package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.trace.TraceFile.Entry;
import io.github.jvhost.testkit.trace.TraceFile.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A message as a line. */
class MessageLineTest {
  private static RecordedMessage message(
      FrontEndRequest request, int flags, Payload payload, int descriptors) {
    int id = request.fixedId().orElseThrow();
    return new RecordedMessage(2_500_000, 1, id, request, flags, payload, descriptors);
  }

  @Test
  void aLineHasTheTimeTheHeaderAndThePayload() {
    RecordedMessage told = message(FrontEndRequest.SET_VRING_NUM, 1, new VringState(3, 256), 0);

    assertThat(MessageLine.of(told))
        .isEqualTo("-> SET_VRING_NUM          fl=0x01 sz=8   fds=0 vq=3 num=256");
    assertThat(MessageLine.of(told, 500_000)).isEqualTo("      2000.0 us " + MessageLine.of(told));
    assertThat(MessageLine.of(message(FrontEndRequest.SET_STATUS, 9, new U64(0xf), 0)))
        .isEqualTo("-> SET_STATUS             fl=0x09 NEED_REPLY sz=8   fds=0 u64=0xf");
    assertThat(MessageLine.of(message(FrontEndRequest.SET_OWNER, 1, NoPayload.INSTANCE, 0)))
        .isEqualTo("-> SET_OWNER              fl=0x01 sz=0   fds=0");
  }

  @Test
  void aNumberThatMeansNothing() {
    var odd = new RecordedMessage(0, 1, 77, null, 1, NoPayload.INSTANCE, 2);

    assertThat(MessageLine.of(odd)).isEqualTo("-> request 77             fl=0x01 sz=0   fds=2");
  }

  @Test
  void everyPayloadOfAFrontEnd() {
    var region = new MemoryRegionPayload(0x1000, 0x2000, 0xffff_ffff_ffff_0000L, 0x10);

    assertThat(MessageLine.of(new U64(-1))).isEqualTo("u64=0xffffffffffffffff");
    assertThat(MessageLine.of(new VringState(1, -1))).isEqualTo("vq=1 num=4294967295");
    assertThat(MessageLine.of(new VringDescriptor(2, false))).isEqualTo("vq=2");
    assertThat(MessageLine.of(new VringDescriptor(2, true))).isEqualTo("vq=2 nofd");
    assertThat(MessageLine.of(new VringAddress(0, 1, 0x10, 0x20, 0x30, 0x40)))
        .isEqualTo("vq=0 flags=0x1 desc=0x10 used=0x20 avail=0x30 log=0x40");
    assertThat(MessageLine.of(new MemoryTablePayload(List.of(region, region))))
        .isEqualTo(
            "n=2 " + MessageLine.of(new SingleRegion(region)).repeat(2).replace("][", "] ["));
    assertThat(MessageLine.of(new SingleRegion(region)))
        .isEqualTo("[gpa=0x1000 size=0x2000 uva=0xffffffffffff0000 off=0x10]");
    assertThat(MessageLine.of(new LogRegion(0xc00, 0))).isEqualTo("size=0xc00 off=0x0");
    assertThat(MessageLine.of(new Inflight(0x100, 0, 2, 256)))
        .isEqualTo("size=0x100 off=0x0 queues=2 queue_size=256");
    assertThat(MessageLine.of(new Iotlb(0x1000, 0x100, 0x2000, 3, 2)))
        .isEqualTo("iova=0x1000 size=0x100 uva=0x2000 perm=3 type=2");
  }

  /** Ours are the lines that other taps write. */
  @Test
  void theLinesOfTheTraces() throws IOException {
    assumeTrue(Files.isDirectory(TraceFile.TRACES), "no traces at " + TraceFile.TRACES);
    List<Path> files;
    try (Stream<Path> all = Files.list(TraceFile.TRACES)) {
      // Those of a vIOMMU come from a tap that writes other lines.
      files =
          all.filter(f -> f.toString().endsWith(".txt"))
              .filter(f -> !f.getFileName().toString().startsWith("viommu"))
              .sorted()
              .toList();
    }
    int lines = 0;
    for (Path file : files) {
      for (Entry entry : TraceFile.read(file.getFileName().toString())) {
        if (entry instanceof Message heard && heard.toBackEnd()) {
          FrontEndRequest request = FrontEndRequest.valueOf(heard.name());
          Payload payload = heard.decode(request.payload());
          String ours =
              MessageLine.of(message(request, heard.flags(), payload, heard.descriptors()));
          assertThat(ours.replaceAll("\\s+", " ")).isEqualTo("-> " + heard.text());
          lines++;
        }
      }
    }
    assertThat(lines).isGreaterThan(1_000);
  }
}
