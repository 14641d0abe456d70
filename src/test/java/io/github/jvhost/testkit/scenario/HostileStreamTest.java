package io.github.jvhost.testkit.scenario;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A destination is told nonsense. */
@Timeout(90)
class HostileStreamTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private SocketDirectory directory;
  private StillHosts hosts;

  @BeforeEach
  void stand() {
    directory = SocketDirectory.create();
    hosts = new StillHosts(directory.path(), ledger);
  }

  @AfterEach
  void nothingIsLeft() {
    hosts.close();
    directory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** A real source's stream, whose destination only said that it is ready. */
  private static List<Frame> record(boolean early) {
    return record(early, false);
  }

  /** The same after presetup, so that of the final state only the rings are sent. */
  private static List<Frame> recordMoved() {
    return record(true, true);
  }

  private static List<Frame> record(boolean early, boolean preset) {
    var ledger = DescriptorLedger.counting();
    try (var directory = SocketDirectory.create();
        var hosts = new StillHosts(directory.path(), ledger)) {
      // Preset by hand, because a script cannot wait for what it answers.
      ByteBuffer answer = ByteBuffer.allocate(64).putShort((short) 4).put("net0".getBytes(UTF_8));
      answer.putInt(1).put((byte) (preset ? 1 : 0)).putShort((short) 0);
      List<Frame> back = new ArrayList<>(List.of(Frame.empty(Frame.READY)));
      if (early) {
        back.add(Frame.of(Frame.PRESET, answer));
      }
      back.add(Frame.empty(Frame.RUNNING));
      var link =
          new PatientLink(new ScriptedLink(Frame.stream(back)), new AtomicInteger(early ? 1 : 0));
      hosts.leave(link, early);
      return withFewPages(Frame.parse(link.script().sent()));
    }
  }

  /** The script's answers come when they are waited for, and not while there are none. */
  record PatientLink(ScriptedLink script, AtomicInteger toRead) implements MigrationLink {

    @Override
    public void send(ByteBuffer bytes, Deadline deadline) {
      script.send(bytes, deadline);
    }

    @Override
    public void receive(ByteBuffer into, Deadline deadline) {
      script.receive(into, deadline);
    }

    @Override
    public boolean awaitReadable(Deadline deadline) {
      // Without early records nothing is to be read before COMMIT; with them one answer is.
      return toRead.getAndDecrement() > 0;
    }

    @Override
    public void close() {
      script.close();
    }
  }

  /** The first pages are enough: those of the still guest begin in the second run. */
  private static List<Frame> withFewPages(List<Frame> frames) {
    List<Frame> kept = new ArrayList<>();
    int pages = 0;
    for (Frame frame : frames) {
      if (frame.type() != Frame.PAGES || pages++ == 0) {
        kept.add(
            frame.type() == Frame.PAGES
                ? new Frame(
                    Frame.PAGES, frame.with(8, 4096, 4).body(), Arrays.copyOf(frame.pages(), 4096))
                : frame);
      }
    }
    return kept;
  }

  /** What became of a destination. */
  private record Fate(boolean runs, @Nullable RuntimeException failure, List<Frame> answers) {
    String abort() {
      return answers.stream()
          .filter(f -> f.type() == Frame.ABORT)
          .map(Frame::text)
          .findFirst()
          .orElse("none");
    }
  }

  private Fate arrive(byte[] stream, PresetupMode mode) {
    try (Host target = hosts.target()) {
      return arrive(stream, mode, target);
    }
  }

  private static Fate arrive(byte[] stream, PresetupMode mode, Host target) {
    var link = new ScriptedLink(stream);
    var vm = new StillHosts.Vm(false);
    @Nullable RuntimeException failure = null;
    try {
      StillHosts.arrive(target.devices(), target, vm, link, mode);
    } catch (RuntimeException e) {
      failure = e;
    }
    return new Fate(vm.runs(), failure, Frame.parse(link.sent()));
  }

  /** It ran, or it failed as it has to: in our own words, in the source's hearing. */
  private static void assertOrderly(Fate fate, String what) {
    assertThat(fate.runs()).as(what).isEqualTo(fate.failure() == null);
    RuntimeException failure = fate.failure();
    if (failure != null) {
      assertThat(failure).as(what).isInstanceOf(MigrationException.class);
      assertThat(failure.getCause()).as(what).isInstanceOf(VhostException.class);
      assertThat(failure.getMessage()).as(what).isNotBlank().doesNotContain("\n");
    }
  }

  @Test
  void theRecordedStreamItselfArrives() {
    assertThat(arrive(Frame.stream(record(false)), PresetupMode.OFF).failure()).isNull();
    Fate fate = arrive(Frame.stream(record(true)), PresetupMode.IMPLICIT);
    assertThat(fate.failure()).isNull();
    assertThat(fate.answers())
        .extracting(Frame::type)
        .containsExactly(Frame.READY, Frame.PRESET, Frame.RUNNING);
  }

  @Test
  void aStreamThatEndsAtAnyByte() {
    byte[] stream = Frame.stream(record(false));
    // One for all: none of them gets as far as its devices.
    try (Host target = hosts.target()) {
      for (int length = 0; length < stream.length; length += withinPage(length) ? 61 : 1) {
        Fate fate = arrive(Arrays.copyOf(stream, length), PresetupMode.OFF, target);

        assertOrderly(fate, "cut at " + length);
        assertThat(fate.runs()).as("cut at %d of %d", length, stream.length).isFalse();
        assertThat(fate.abort()).contains("the script is over");
      }
    }
  }

  /** The one page that was kept begins within the first hundred bytes, behind HELLO. */
  private static boolean withinPage(int length) {
    return length > 200 && length < 4000;
  }

  @Test
  void aStreamWithDamage() {
    List<Frame> frames = record(true);
    byte[] stream = Frame.stream(frames);
    for (long seed = 0; seed < 150; seed++) {
      var random = new SplittableRandom(seed);
      byte[] damaged = stream.clone();
      for (int i = random.nextInt(1, 4); i > 0; i--) {
        damaged[position(random, damaged.length)] = (byte) random.nextInt();
      }
      Fate fate = arrive(damaged, PresetupMode.OFF);

      assertOrderly(fate, "seed " + seed);
    }
  }

  /** The pages in the middle may hold anything anyway. */
  private static int position(SplittableRandom random, int length) {
    int at;
    do {
      at = random.nextInt(length);
    } while (at > length / 3 && at < length / 2);
    return at;
  }

  @Test
  void aDamagedEarlyRecordOnlyCostsPresetup() {
    List<Frame> recorded = record(true);
    for (long seed = 0; seed < 8; seed++) {
      var random = new SplittableRandom(seed);
      List<Frame> frames = new ArrayList<>(recorded);
      int at = indexOf(frames, Frame::isEarlyRecord);
      int body = frames.get(at).body().length;
      // Behind the envelope, whose damage is the stream's.
      frames.set(at, frames.get(at).with(random.nextInt(19, body - 4), random.nextInt(), 4));
      Fate fate = arrive(Frame.stream(frames), PresetupMode.IMPLICIT);

      assertThat(fate.failure()).as("seed %d", seed).isNull();
      assertThat(fate.runs()).as("seed %d", seed).isTrue();
    }
  }

  @Test
  void ringsThatMovedSinceAnEarlyRecordArrive() {
    List<Frame> frames = recordMoved();
    assertThat(frames).extracting(Frame::type).contains(Frame.MOVED);
    assertThat(frames).noneMatch(Frame::isFinalRecord);

    Fate fate = arrive(Frame.stream(frames), PresetupMode.IMPLICIT);

    assertThat(fate.failure()).isNull();
    assertThat(fate.runs()).isTrue();
  }

  /** Nothing is built on a record that is not the one which the source has sent. */
  @Test
  void ringsThatMovedSinceADamagedEarlyRecord() {
    for (long seed = 0; seed < 8; seed++) {
      var random = new SplittableRandom(seed);
      List<Frame> frames = recordMoved();
      int at = indexOf(frames, Frame::isEarlyRecord);
      int body = frames.get(at).body().length;
      frames.set(at, frames.get(at).with(random.nextInt(19, body - 4), random.nextInt(), 4));
      Fate fate = arrive(Frame.stream(frames), PresetupMode.IMPLICIT);

      assertThat(fate.runs()).as("seed %d", seed).isFalse();
      assertOrderly(fate, "seed " + seed);
      assertThat(fate.abort()).contains("did not arrive as it was sent");
    }
  }

  /** Once the guest runs here, whatever else fails is no reason to have it run elsewhere, too. */
  @Test
  void anEmbedderThatThrowsAfterTheGuestRunsIsNoReasonToAbort() {
    byte[] stream = Frame.stream(record(true));
    try (Host target = hosts.target()) {
      target
          .devices()
          .getFirst()
          .model()
          .onChange(change -> {
            if (change == DeviceChange.CONFIG_INTERRUPT) {
              throw new IllegalStateException("the embedder's interrupt");
            }
          });

      Fate fate = arrive(stream, PresetupMode.IMPLICIT, target);

      assertThat(fate.failure()).isNull();
      assertThat(fate.runs()).isTrue();
      assertThat(fate.answers()).extracting(Frame::type).contains(Frame.RUNNING);
      assertThat(fate.answers()).extracting(Frame::type).doesNotContain(Frame.ABORT);
      assertThat(target.devices().getFirst().running()).isTrue();
    }
  }

  private interface Which {
    boolean is(Frame frame);
  }

  private static int indexOf(List<Frame> frames, Which which) {
    for (int i = 0; i < frames.size(); i++) {
      if (which.is(frames.get(i))) {
        return i;
      }
    }
    throw new AssertionError("there is none");
  }

  /** A change of the recorded stream, and what the destination says to it. */
  record Nonsense(String name, Change change, String says) {
    interface Change {
      void apply(List<Frame> frames);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static Nonsense insert(String name, int at, Frame frame, String says) {
    return new Nonsense(name, frames -> frames.add(at, frame), says);
  }

  private static Frame region(String name, long guestAddress, long size) {
    byte[] text = name.getBytes(UTF_8);
    ByteBuffer body = ByteBuffer.allocate(300).putShort((short) text.length).put(text);
    return Frame.of(Frame.REGION_ADDED, body.putLong(guestAddress).putLong(size));
  }

  private static Frame stateOf(String device) {
    byte[] text = device.getBytes(UTF_8);
    ByteBuffer body = ByteBuffer.allocate(64).putShort((short) text.length).put(text);
    return Frame.of(Frame.BACK_END_STATE, body.putInt(3).put(new byte[3]));
  }

  private static Frame withBackEndState(Frame last) {
    DeviceRecord record = DeviceRecord.read(ByteBuffer.wrap(last.body()));
    VirtioNetState state = VirtioNetVmState.fromRecord(record, SectionShape.mmio(1));
    List<Bytes> chunks = List.of(Bytes.zeros(5));
    byte[] encoded =
        VirtioNetVmState.toRecord(
                record.device(),
                record.kind(),
                record.generation(),
                state.withNet(state.net().withBackEnd(Optional.of(chunks))))
            .encode();
    return Frame.of(last.type(), ByteBuffer.allocate(encoded.length).put(encoded));
  }

  static Stream<Nonsense> nonsense() {
    return Stream.of(
        new Nonsense(
            "another version",
            f -> f.set(0, f.getFirst().with(0, 9, 4)),
            "the other side has version 9, this one 2"),
        new Nonsense(
            "other memory",
            f -> f.set(0, f.getFirst().with("ram", "RAM")),
            "guest memory differs: the source has [Region[name=RAM"),
        new Nonsense(
            "another device",
            f -> f.set(0, f.getFirst().with("net0", "eth0")),
            "the devices differ: the source has [eth0], the destination [net0]"),
        new Nonsense("no HELLO", f -> f.removeFirst(), " before HELLO"),
        insert("HELLO again", 1, Frame.empty(Frame.READY), "unexpected READY from the source"),
        new Nonsense(
            "an unknown device",
            f -> {
              int at = indexOf(f, Frame::isFinalRecord);
              f.set(at, f.get(at).with("net0", "net7"));
            },
            "a record of an unknown device, net7"),
        new Nonsense(
            "two final records",
            f -> {
              int at = indexOf(f, Frame::isFinalRecord);
              f.add(at, f.get(at));
            },
            "two final states of device net0"),
        new Nonsense(
            "the state of a back end in a final record",
            f -> {
              int at = indexOf(f, Frame::isFinalRecord);
              f.set(at, withBackEndState(f.get(at)));
            },
            "the state of net0's back end in the device's record: it has to come in messages of its"
                + " own"),
        new Nonsense(
            "two early records",
            f -> {
              int at = indexOf(f, Frame::isEarlyRecord);
              f.add(at, f.get(at));
            },
            "two early records of device net0"),
        new Nonsense(
            "STOPPING twice",
            f -> {
              int at = indexOf(f, x -> x.type() == Frame.STOPPING);
              f.add(at, f.get(at));
            },
            "STOPPING after STOPPING"),
        new Nonsense(
            "an early record after STOPPING",
            f -> {
              Frame early = f.get(indexOf(f, Frame::isEarlyRecord));
              f.add(indexOf(f, x -> x.type() == Frame.STOPPING) + 1, early);
            },
            "an early record after STOPPING"),
        new Nonsense(
            "the end of early records after STOPPING",
            f -> {
              Frame end = f.get(indexOf(f, x -> x.type() == Frame.EARLY_END));
              f.add(indexOf(f, x -> x.type() == Frame.STOPPING) + 1, end);
            },
            "the end of early records after STOPPING"),
        insert(
            "a back end's state before STOPPING",
            1,
            stateOf("net0"),
            "a back end's state before STOPPING"),
        new Nonsense(
            "a back end's state of an unknown device",
            f -> f.add(indexOf(f, x -> x.type() == Frame.STOPPING) + 1, stateOf("net7")),
            "the state of the back end of an unknown device, net7"),
        new Nonsense(
            "COMMIT without final records",
            f -> f.remove(indexOf(f, Frame::isFinalRecord)),
            "handed over with 0 final records for 1 devices"),
        new Nonsense(
            "pages outside of memory",
            f -> {
              int at = indexOf(f, x -> x.type() == Frame.PAGES);
              f.set(at, f.get(at).with(0, 16 << 20, 8));
            },
            "0x1000000"),
        new Nonsense(
            "pages across the end of memory",
            f -> {
              int at = indexOf(f, x -> x.type() == Frame.PAGES);
              f.set(at, f.get(at).with(0, (16 << 20) - 4096, 8).with(8, 8192, 4));
            },
            "0xfff000"),
        new Nonsense(
            "half a page",
            f -> {
              int at = indexOf(f, x -> x.type() == Frame.PAGES);
              f.set(at, f.get(at).with(8, 2048, 4));
            },
            "2048 bytes of pages at"),
        insert("an unknown message", 1, Frame.empty(99), "unknown type 99"),
        insert("a region twice", 1, region("ram", 1L << 30, 4096), "adding the source's memory"),
        insert("an overlap", 1, region("more", 4096, 4096), "adding the source's memory"),
        insert("not whole pages", 1, region("more", 1L << 30, 100), "adding the source's memory"),
        insert("nothing", 1, region("more", 1L << 30, 0), "adding the source's memory"),
        insert("too much", 1, region("more", 1L << 30, 1L << 51), "bytes"),
        insert("negative", 1, region("more", -4096, 8192), "adding the source's memory"));
  }

  private static Nonsense moved(String name, UnaryOperator<Frame> change, String says) {
    return new Nonsense(
        name,
        f -> {
          int at = indexOf(f, x -> x.type() == Frame.MOVED);
          f.set(at, change.apply(f.get(at)));
        },
        says);
  }

  static Stream<Nonsense> nonsenseOfMovedRings() {
    // name (2 + 4 bytes) | generation u32 | checksum u32 | count u16 | rings
    return Stream.of(
        moved("an unknown device", f -> f.with("net0", "net7"), "an unknown device, net7"),
        moved("another generation", f -> f.with(6, 2, 4), "since early record 2, which did not"),
        moved("another record", f -> f.with(10, 0, 4), "since early record 1, which did not"),
        moved(
            "no rings",
            f -> Frame.of(f.type(), ByteBuffer.allocate(16).put(f.with(14, 0, 2).body(), 0, 16)),
            "0 rings of a device that has"),
        new Nonsense(
            "twice",
            f -> {
              int at = indexOf(f, x -> x.type() == Frame.MOVED);
              f.add(at, f.get(at));
            },
            "two final states of device net0"));
  }

  @ParameterizedTest
  @MethodSource("nonsenseOfMovedRings")
  void theDestinationRefusesRingsThatCannotBe(Nonsense nonsense) {
    refuses(recordMoved(), nonsense);
  }

  @ParameterizedTest
  @MethodSource("nonsense")
  void theDestinationSaysWhatIsWrongAndDoesNotRun(Nonsense nonsense) {
    refuses(record(true), nonsense);
  }

  private void refuses(List<Frame> frames, Nonsense nonsense) {
    nonsense.change().apply(frames);
    Fate fate = arrive(Frame.stream(frames), PresetupMode.IMPLICIT);

    assertThat(fate.runs()).isFalse();
    assertOrderly(fate, nonsense.name());
    assertThat(fate.failure())
        .hasMessageContaining(nonsense.says())
        .hasMessageEndingWith("; the guest does not run on the destination");
    assertThat(fate.abort()).contains(nonsense.says());
    assertThat(fate.answers()).extracting(Frame::type).doesNotContain(Frame.RUNNING);
  }
}
