package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.QemuStreamWriter;
import io.github.jvhost.vmstate.RamRecord;
import io.github.jvhost.vmstate.RamSink;
import io.github.jvhost.vmstate.SectionBody;
import io.github.jvhost.vmstate.SectionHeader;
import io.github.jvhost.vmstate.StreamRecord;
import io.github.jvhost.vmstate.StreamRewriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;

/** A stream that QEMU made now is read, and one that we wrote is taken by QEMU. */
@Timeout(120)
@ResourceLock("real back ends")
class QemuStreamTest {
  private static final String MAC = "52:54:00:00:00:01";
  private static final int PAIRS = 4;

  // Where the changed device has its first ring, in guest memory.
  private static final long DESC = 0x100000;
  private static final long AVAIL = 0x101000;
  private static final long USED = 0x102000;
  private static final int NEXT = 4711;

  @TempDir private Path directory;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @BeforeEach
  void isInstalled() {
    Optional<String> reason = QemuSystem.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(directory).isDirectoryNotContaining(file -> file.toString().endsWith(".socket"));
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(30));
  }

  /** A machine of QEMU's and the back end of its network device. */
  private final class Machine implements AutoCloseable {
    final MockBackEnd backEnd;
    final QemuSystem qemu;

    Machine(String name, UnaryOperator<QemuSystem.Builder> how) {
      backEnd =
          MockBackEnd.builder(directory.resolve(name + ".back.socket"), ledger)
              .offer(BackEndOffer.of(Personality.GENERIC).withQueuePairs(PAIRS))
              .start();
      try {
        QemuSystem.Builder builder =
            QemuSystem.builder(backEnd.socket(), directory.resolve(name + ".monitor.socket"))
                .queuePairs(PAIRS)
                .mac(MAC);
        qemu = how.apply(builder).start(deadline());
      } catch (RuntimeException e) {
        backEnd.close();
        throw e;
      }
    }

    Map<?, ?> ask(String command, Map<String, ?> arguments) {
      return (Map<?, ?>) qemu.execute(command, arguments, deadline());
    }

    @Override
    public void close() {
      qemu.close();
      backEnd.close();
    }
  }

  private byte[] freshStream() throws IOException {
    Path file = directory.resolve("fresh");
    try (var source = new Machine("source", builder -> builder)) {
      source.qemu.migrateTo(file, deadline());
    }
    return Files.readAllBytes(file);
  }

  @Test
  void aFreshStreamIsReadAndWrittenBackByteForByte() throws IOException {
    byte[] stream = freshStream();
    var copy = new ByteArrayOutputStream();
    List<StreamRecord> records = new ArrayList<>();

    StreamRewriter.rewrite(
        new ByteArrayInputStream(stream),
        copy,
        QemuStreamReader.builder(),
        record -> {
          records.add(record);
          return Optional.of(record);
        });

    assertThat(copy.toByteArray()).isEqualTo(stream);
    VirtioNetState state = deviceOf(records);
    assertThat(state.net().mac()).isEqualTo(MacAddress.parse(MAC));
    assertThat(state.net().maxQueuePairs()).isEqualTo(PAIRS);
    assertThat(state.net().currentQueuePairs()).isEqualTo(1);
  }

  private static VirtioNetState deviceOf(List<StreamRecord> records) {
    return records.stream()
        .filter(StreamRecord.Section.class::isInstance)
        .map(record -> ((StreamRecord.Section) record).body())
        .filter(SectionBody.VirtioNet.class::isInstance)
        .map(body -> ((SectionBody.VirtioNet) body).state())
        .findFirst()
        .orElseThrow();
  }

  @Test
  void aDeviceThatWeChangedArrivesInQemu() throws IOException {
    Path file = Files.write(directory.resolve("changed"), changed(freshStream(), ACKED));

    try (var target = new Machine("target", QemuSystem.Builder::incoming)) {
      int mark = target.backEnd.record().mark();
      target.qemu.migrateFrom(file, deadline());

      List<?> filters = (List<?>) target.qemu.execute("query-rx-filter", Map.of(), deadline());
      assertThat(((Map<?, ?>) filters.getFirst()).get("main-mac")).isEqualTo("52:54:00:ab:cd:ef");
      String path = "/machine/peripheral/" + QemuSystem.DEVICE + "/virtio-backend";
      assertThat(target.ask("x-query-virtio-status", Map.of("path", path)).get("num-vqs"))
          .isEqualTo(2L * PAIRS + 1);
      Map<?, ?> ring = target.ask("x-query-virtio-queue-status", Map.of("path", path, "queue", 0));
      assertThat(ring.get("vring-desc")).isEqualTo(DESC);
      assertThat(ring.get("vring-avail")).isEqualTo(AVAIL);
      assertThat(ring.get("vring-used")).isEqualTo(USED);
      assertThat(ring.get("last-avail-idx")).isEqualTo((long) NEXT);
      // The number of queue pairs shows at the back end, which is told while the state is loaded.
      assertThat(enabled(target.backEnd.record().since(mark)))
          .containsEntry(0, 1)
          .containsEntry(5, 1)
          .doesNotContainEntry(6, 1);
    }
  }

  /** What every ring was told last. */
  private static Map<Integer, Integer> enabled(List<RecordedMessage> messages) {
    Map<Integer, Integer> enabled = new HashMap<>();
    for (RecordedMessage message : messages) {
      if (message.request() == FrontEndRequest.SET_VRING_ENABLE
          && message.payload() instanceof VringState(int ring, int value)) {
        enabled.put(ring, value);
      }
    }
    return enabled;
  }

  @Test
  void whatQemuDoesNotTakeItSaysInItsOwnWords() throws IOException {
    long notOffered = ACKED | NetFeature.SPEED_DUPLEX.mask();
    Path file = Files.write(directory.resolve("wrong"), changed(freshStream(), notOffered));

    try (var target = new Machine("target", QemuSystem.Builder::incoming)) {
      assertThatThrownBy(() -> target.qemu.migrateFrom(file, deadline()))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("the process ended")
          .hasMessageContaining("virtio");
    }
  }

  // ---- a stream with another device ----

  private static final long ACKED =
      NetFeature.maskOf(
          NetFeature.VERSION_1,
          NetFeature.MAC,
          NetFeature.STATUS,
          NetFeature.CTRL_VQ,
          NetFeature.MQ,
          NetFeature.MRG_RXBUF);

  private static byte[] changed(byte[] stream, long acked) {
    var out = new ByteArrayOutputStream();
    QemuStreamWriter writer = new QemuStreamWriter(out);
    QemuStreamReader reader =
        QemuStreamReader.builder()
            .ram(new RingPages(writer.ram()))
            .open(new ByteArrayInputStream(stream));
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      StreamRecord record = next.get();
      if (record instanceof StreamRecord.Section(var header, SectionBody.VirtioNet(var state))) {
        record = new StreamRecord.Section(header, new SectionBody.VirtioNet(changed(state, acked)));
      }
      writer.write(record);
    }
    return out.toByteArray();
  }

  /** Its driver has set up a ring and three of four queue pairs; it is not live yet. */
  private static VirtioNetState changed(VirtioNetState fresh, long acked) {
    CommonState common =
        fresh
            .common()
            .withStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK)
            .withFeatures(acked, 0);
    NetState net = fresh.net().withMac(MacAddress.parse("52:54:00:ab:cd:ef")).withQueuePairs(3);
    List<SavedQueue> queues = new ArrayList<>(Collections.nCopies(2 * PAIRS, fresh.queue(0)));
    queues.add(fresh.queue(2)); // the control ring stands behind the pairs now
    SavedQueue ring = fresh.queue(0);
    queues.set(
        0,
        new SavedQueue(
            ring.size(),
            ring.defaultSize(),
            ring.align(),
            DESC,
            NEXT,
            ring.vector(),
            AVAIL,
            USED,
            ring.packed(),
            new SavedQueue.Proxy(ring.size(), true, DESC, AVAIL, USED)));
    return new VirtioNetState(
        fresh.offer(), fresh.transport().withProxyFeatures(acked), common, net, queues);
  }

  /** Memory as it was, with the indexes of that ring in it: QEMU checks that they fit. */
  private record RingPages(RamSink to) implements RamSink {
    private static final int INDEX = 2;

    @Override
    public void begin(SectionHeader header) {
      to.begin(header);
    }

    @Override
    public void accept(RamRecord record) {
      to.accept(
          record instanceof RamRecord.Fill(var place, int value)
                  && value == 0
                  && place.block().equals(QemuSystem.RAM)
                  && (place.offset() == AVAIL || place.offset() == USED)
              ? new RamRecord.Page(place, page())
              : record);
    }

    private static ByteBuffer page() {
      ByteBuffer page = ByteBuffer.allocate(RamRecord.PAGE_SIZE).order(ByteOrder.LITTLE_ENDIAN);
      return page.putShort(INDEX, (short) NEXT);
    }
  }
}
