package io.github.jvhost.bench;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.LinuxGuest;
import io.github.jvhost.testkit.qemu.QemuGuest;
import io.github.jvhost.testkit.qemu.QemuSystem;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;

/**
 * A destination's stop window with QEMU and DPDK as they are, with a mediator on each host and
 * without, in turn. In each round a guest boots, pings and is migrated. It need not live on: QEMU's
 * emulation loses one in twenty guests of this size, with a mediator and without.
 */
public final class MediatedBench implements Bench {
  private static final int GIB = 1;
  private static final int LEAST_MESSAGES = 7 * MediatedBenchHost.NICS;
  private static final long SLOW = 1 << 20;
  private static final long FAST = 1L << 32;
  private static final Path GUEST = Path.of("target", "linux-guest");
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  /** One of these rounds takes half a minute. */
  private static final int ROUNDS_EACH = 20;

  private static final Question WINDOW =
      new Question(
          "QEMU's window at a destination, %d devices, guest of %d GiB, mediated; to without"
              .formatted(MediatedBenchHost.NICS, GIB),
          new Goal.Shorter(30));

  private static final Question FROM_FEATURES =
      new Question(
          "the same window, from QEMU's SET_FEATURES on; to without", new Goal.Shorter(100));

  private static final Question MESSAGES =
      new Question(
          "messages to the switch in that window, mediated",
          new Goal.NoMore(LEAST_MESSAGES, "messages"));

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /** A benchmark without state. */
  public MediatedBench() {}

  private static Deadline deadline() {
    return Deadline.after(PATIENCE);
  }

  @Override
  public List<BenchRow> run(Effort effort) {
    var rows = Questions.of(WINDOW, FROM_FEATURES, MESSAGES);
    Optional<String> missing =
        Stream.of(QemuSystem.available(), Testpmd.available(), noGuest())
            .flatMap(Optional::stream)
            .findFirst();
    return missing.isPresent()
        ? rows.all(new Measured.Not(missing.get()))
        : rows.ask(() -> measure(Math.max(1, effort.rounds() / ROUNDS_EACH)));
  }

  /** A benchmark downloads nothing. */
  private static Optional<String> noGuest() {
    return Files.isDirectory(GUEST)
        ? LinuxGuest.available(GUEST, deadline())
        : Optional.of("no Linux guest is in " + GUEST + "; the tests of the build put one there");
  }

  private List<BenchRow> measure(int rounds) {
    try (var opened = new Opened()) {
      Path directory = opened.add(TemporaryDirectory.make()).path();
      LinuxGuest linux = LinuxGuest.in(GUEST, deadline());
      var here = opened.add(new MediatedBenchHost(directory, "here", "listen:", ledger));
      var there = opened.add(new MediatedBenchHost(directory, "there", "", ledger));
      var rig = new Rig(linux, directory, here, there);
      var ours = new Windows();
      var reference = new Windows();
      for (int round = 0; round < rounds; round++) {
        ours.add(rig.migrate(true));
        reference.add(rig.migrate(false));
      }
      return List.of(
          WINDOW.timed(
              ours.whole,
              reference.whole,
              "%d rounds; QEMU waited for answers in %s of it, without in %s"
                  .formatted(rounds, ours.waited(), reference.waited())),
          FROM_FEATURES.timed(ours.fromFeatures, reference.fromFeatures),
          MESSAGES.is(
              new Measured.Counted(ours.messages, "messages", "without " + reference.messages)));
    }
  }

  private static final class Windows {
    private final Histogram whole = new Histogram(PATIENCE.toNanos(), 3);
    private final Histogram fromFeatures = new Histogram(PATIENCE.toNanos(), 3);
    private final Histogram waited = new Histogram(PATIENCE.toNanos(), 3);
    private int messages;

    String waited() {
      return String.format(Locale.ROOT, "%.1f ms", waited.getValueAtPercentile(50) / 1e6);
    }

    void add(MediatedBenchHost.Window window) {
      whole.recordValue(window.nanos());
      fromFeatures.recordValue(window.nanosFromFeatures());
      waited.recordValue(window.waitedNanos());
      messages = Math.max(messages, window.messages());
    }
  }

  /**
   * Two hosts, and what boots on them.
   *
   * @param directory for the machines' sockets
   */
  private record Rig(
      LinuxGuest linux, Path directory, MediatedBenchHost here, MediatedBenchHost there) {

    private QemuGuest.Builder machine(MediatedBenchHost host, String name, boolean mediated) {
      var machine = QemuGuest.builder(linux, directory, name).mebibytes(GIB << 10);
      host.sockets(mediated).forEach(machine::nic);
      return machine;
    }

    MediatedBenchHost.Window migrate(boolean mediated) {
      try (QemuGuest source = machine(here, "source", mediated).boot(deadline())) {
        here.runs(source);
        source.awaitAnswers(100, deadline());
        try (QemuGuest destination = machine(there, "destination", mediated).await(deadline())) {
          there.runs(destination);
          bandwidth(source, SLOW); // it does not come to its end before the switch is preset
          source.beginMigrationTo(destination, deadline());
          if (mediated) {
            there.awaitPreset(deadline());
          } else {
            source.awaitAnswers(100, deadline());
          }
          there.forget();
          bandwidth(source, FAST);
          return there.awaitWindow(mediated, deadline());
        }
      }
    }
  }

  private static void bandwidth(QemuGuest guest, long bytesPerSecond) {
    guest
        .qemu()
        .execute("migrate-set-parameters", Map.of("max-bandwidth", bytesPerSecond), deadline());
  }
}
