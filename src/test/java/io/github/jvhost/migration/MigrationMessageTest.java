package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.migration.MessageTable.End;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.vmstate.DeviceRecord;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the two ends say, as bytes. */
@Timeout(60)
class MigrationMessageTest {
  static Stream<MigrationMessage> messages() {
    var region = new MigrationMessage.Region("ram", 0, 16 << 20);
    var high = new MigrationMessage.Region("höher", 1L << 40, 1L << 32);
    var record =
        new DeviceRecord(
            "net0", DeviceRecord.Kind.FINAL, 7, Bytes.copyOf((byte) 1, (byte) 2, (byte) 3));
    var large =
        new DeviceRecord(
            "n".repeat(DeviceRecord.MAX_NAME),
            DeviceRecord.Kind.EARLY,
            Integer.MAX_VALUE,
            Bytes.zeros(DeviceRecord.MAX_BODY));
    return Stream.of(
        new MigrationMessage.Hello(List.of(), List.of()),
        new MigrationMessage.Hello(List.of(region, high), List.of("net0", "net1")),
        new MigrationMessage.Final(record),
        new MigrationMessage.Moved("net0", 3, 4, new MovedRings(List.of())),
        new MigrationMessage.Moved(
            "net0",
            3,
            -1,
            new MovedRings(
                List.of(
                    new MovedRings.Indexes(0xffff, SavedQueue.Packed.START),
                    new MovedRings.Indexes(
                        7, new SavedQueue.Packed(1, false, 0xffff, false, -1))))),
        new MigrationMessage.Early(large),
        new MigrationMessage.Translations(
            "net0",
            List.of(
                new Translation(0x1000, 0x5000, 4096, Access.READ),
                new Translation(-4096, 0, 4096, Access.READ_WRITE))),
        new MigrationMessage.EarlyEnd(3),
        new MigrationMessage.Pages(0x5000, 4096),
        new MigrationMessage.Pages(1L << 40, PageSink.MAX_BYTES),
        new MigrationMessage.RegionAdded(high),
        new MigrationMessage.Stopping(),
        new MigrationMessage.BackEndState("net0", ByteBuffer.allocate(0)),
        new MigrationMessage.BackEndState("net0", ByteBuffer.allocate(3000)),
        new MigrationMessage.Commit(),
        new MigrationMessage.Cancel("because"),
        new MigrationMessage.Ready(),
        new MigrationMessage.Preset("net1", 2, true, ""),
        new MigrationMessage.Preset("net1", 2, false, "the back end refused"),
        new MigrationMessage.Running(),
        new MigrationMessage.Abort(""));
  }

  private static MigrationMessage decode(ByteBuffer bytes) {
    ByteBuffer header = bytes.slice(0, MigrationMessage.HEADER);
    int length = MigrationMessage.bodyLength(header);
    assertThat(length).isEqualTo(bytes.limit() - MigrationMessage.HEADER);
    return MessageTable.read(header.get(0) & 0xff, bytes.slice(MigrationMessage.HEADER, length));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void everyMessageIsReadAsItWasWritten(MigrationMessage message) {
    assertThat(decode(message.encode())).isEqualTo(message);
  }

  @Test
  void everyMessageIsTriedAbove() {
    assertThat(messages().map(Object::getClass).distinct())
        .hasSameSizeAs(MigrationMessage.class.getPermittedSubclasses());
  }

  private static String refused(MigrationMessage message, End from, Phase now) {
    try {
      MessageTable.requireExpected(message, from, now);
      return "";
    } catch (MigrationException e) {
      return String.valueOf(e.getMessage()).substring("migration stream: ".length());
    }
  }

  @Test
  void whatMayComeWhen() {
    for (Phase now : List.of(Phase.SETUP, Phase.ITERATE, Phase.STOP)) {
      assertThat(messages().filter(m -> refused(m, End.SOURCE, now).isEmpty()))
          .as("the destination in %s", now)
          .extracting(m -> m.getClass().getSimpleName())
          .containsOnly(
              switch (now) {
                case SETUP -> new String[] {"Hello"};
                case ITERATE ->
                    "Early Translations EarlyEnd Final Moved Pages RegionAdded Stopping Commit Cancel"
                        .split(" ");
                default ->
                    "Translations Final Moved Pages RegionAdded BackEndState Commit Cancel"
                        .split(" ");
              });
    }
    for (Phase now : List.of(Phase.SETUP, Phase.ITERATE, Phase.HAND_OVER)) {
      assertThat(messages().filter(m -> refused(m, End.DESTINATION, now).isEmpty()))
          .as("the source in %s", now)
          .extracting(m -> m.getClass().getSimpleName())
          .containsOnly(
              switch (now) {
                case SETUP -> new String[] {"Ready", "Abort"};
                case ITERATE -> new String[] {"Preset", "Abort"};
                default -> new String[] {"Preset", "Running", "Abort"};
              });
    }
  }

  @Test
  void whatMayNotComeIsSaid() {
    var running = new MigrationMessage.Running();
    var stopping = new MigrationMessage.Stopping();
    assertThat(refused(stopping, End.SOURCE, Phase.SETUP))
        .isEqualTo("the source sent STOPPING before HELLO");
    assertThat(refused(stopping, End.SOURCE, Phase.STOP)).isEqualTo("STOPPING after STOPPING");
    assertThat(refused(running, End.SOURCE, Phase.STOP))
        .isEqualTo("unexpected RUNNING from the source");
    assertThat(refused(running, End.DESTINATION, Phase.SETUP))
        .isEqualTo("the destination sent RUNNING before READY");
    assertThat(refused(running, End.DESTINATION, Phase.ITERATE)).isEqualTo("RUNNING before COMMIT");
    assertThat(refused(new MigrationMessage.Ready(), End.DESTINATION, Phase.ITERATE))
        .isEqualTo("READY after READY");
  }

  @Test
  void theBytes() {
    assertThat(new MigrationMessage.EarlyEnd(0x01020304).encode())
        .isEqualTo(ByteBuffer.wrap(new byte[] {3, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4}));
  }

  @Test
  void aLongReasonIsCut() {
    var abort =
        (MigrationMessage.Abort) decode(new MigrationMessage.Abort("x".repeat(999)).encode());

    assertThat(abort.why()).isEqualTo("x".repeat(MigrationMessage.MAX_NAME));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void aBodyThatIsTooShortIsRefused(MigrationMessage message) {
    ByteBuffer bytes = message.encode();
    int body = bytes.limit() - MigrationMessage.HEADER;
    // Every length where it is short, samples of the mebibyte.
    for (int length = 0; length < body; length += Math.max(1, body / 500)) {
      ByteBuffer cut = bytes.slice(MigrationMessage.HEADER, length);
      assertThatThrownBy(() -> MessageTable.read(bytes.get(0), cut))
          .isInstanceOf(VhostException.class);
    }
  }

  @ParameterizedTest
  @MethodSource("messages")
  void aByteTooMuchIsRefused(MigrationMessage message) {
    ByteBuffer bytes = message.encode();
    ByteBuffer longer = ByteBuffer.allocate(bytes.limit() - MigrationMessage.HEADER + 1);
    longer.put(0, bytes, MigrationMessage.HEADER, bytes.limit() - MigrationMessage.HEADER);

    assertThatThrownBy(() -> MessageTable.read(bytes.get(0), longer))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("1 bytes after");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, Integer.MIN_VALUE, MigrationMessage.MAX_BODY + 1, Integer.MAX_VALUE})
  void aLengthOutOfBoundsIsRefusedBeforeItIsAllocated(int length) {
    ByteBuffer header = ByteBuffer.allocate(MigrationMessage.HEADER).put(0, (byte) 2);
    header.putInt(4, length);

    assertThatThrownBy(() -> MigrationMessage.bodyLength(header))
        .isInstanceOf(MigrationException.class)
        .hasMessageContaining("length " + length);
  }

  @Test
  void pagesHaveToBeWhole() {
    for (long[] pages :
        new long[][] {{0, 0}, {0, 4095}, {1, 4096}, {-4096, 4096}, {0, 2 << 20}, {0, -4096}}) {
      ByteBuffer body = ByteBuffer.allocate(12).putLong(pages[0]).putInt((int) pages[1]).flip();
      assertThatThrownBy(() -> MessageTable.read(4, body))
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("pages at");
    }
  }

  @Test
  void anotherVersionIsNamed() {
    ByteBuffer body = ByteBuffer.allocate(8).putInt(0, 1);

    assertThatThrownBy(() -> MessageTable.read(1, body))
        .isInstanceOf(MigrationException.class)
        .hasMessage("migration stream: the other side has version 1, this one 2");
  }

  @Test
  void anyBytesAreReadOrRefused() {
    for (long seed = 0; seed < 20_000; seed++) {
      var random = new SplittableRandom(seed);
      byte[] body = new byte[random.nextInt(80)];
      random.nextBytes(body);
      if (body.length > 6 && random.nextBoolean()) {
        body[0] = body[1] = body[2] = 0;
        body[3] = 1;
      }
      try {
        MessageTable.read(random.nextInt(24), ByteBuffer.wrap(body));
      } catch (VhostException e) {
        assertThat(e.getMessage()).as("seed %d", seed).isNotBlank().doesNotContain("\n");
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }

  @Test
  void aHelloOfManyLongNamesIsWhole() {
    String name = "n".repeat(MigrationMessage.MAX_NAME - 4);
    List<MigrationMessage.Region> regions = new ArrayList<>();
    List<String> devices = new ArrayList<>();
    for (int i = 0; i < MigrationMessage.MAX_ENTRIES; i++) {
      regions.add(new MigrationMessage.Region(name + i, i * 4096L, 4096));
      devices.add(name + i);
    }
    var hello = new MigrationMessage.Hello(regions, devices);

    ByteBuffer encoded = hello.encode();

    assertThat(MigrationMessage.bodyLength(encoded))
        .isEqualTo(encoded.remaining() - MigrationMessage.HEADER);
    encoded.position(MigrationMessage.HEADER);
    assertThat(MessageTable.read(1, encoded)).isEqualTo(hello);
  }

  @Test
  void moreThanAHelloHasRoomForIsRefusedBeforeItIsSent() {
    var region = new MigrationMessage.Region("ram", 0, 4096);
    List<MigrationMessage.Region> many = Collections.nCopies(1025, region);
    assertThatThrownBy(() -> new MigrationMessage.Hello(many, List.of("net0")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("1025 regions and 1 devices are too many");
    List<String> names = Collections.nCopies(1025, "net");
    assertThatThrownBy(() -> new MigrationMessage.Hello(List.of(region), names))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("1 regions and 1025 devices are too many");
  }
}
