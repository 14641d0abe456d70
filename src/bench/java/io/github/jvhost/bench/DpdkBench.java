package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.RehearsalDevice;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.HdrHistogram.Histogram;

/**
 * The stop window at a stock {@code dpdk-testpmd}, which locks its memory: to map a guest's RAM is
 * to fault all of it in. Implicit presetup against QEMU's order of messages without presetup, in
 * turn, for a guest of 1 GiB and one of 4 GiB whose every page was written before.
 *
 * <pre>
 *   off:       | memory table, which takes its time, rings | answer     all of it in the window
 *   implicit:  memory table, rings | base, status | answer              only this | ... | is
 * </pre>
 */
public final class DpdkBench implements Bench {
  private static final int DEVICES = 2;
  private static final int PAIRS = 1;
  private static final int SMALL_GIB = 1;
  private static final int LARGE_GIB = 4;
  private static final int SPARE_GIB = 2;
  private static final Path MEMORY = Path.of("/proc/meminfo");
  private static final String AVAILABLE = "MemAvailable:";

  /** Rounds of {@link Effort} that one of these, of a second and more, takes the place of. */
  private static final int ROUNDS_EACH = 12;

  private static final int REHEARSALS = 100;
  private static final Duration REHEARSING = Duration.ofSeconds(30);

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final Question SHORTER =
      new Question(
          "stock DPDK, %d devices, guest of %d GiB, implicit presetup; to QEMU's order"
              .formatted(DEVICES, SMALL_GIB),
          new Goal.Shorter(300));

  private static final Question LARGER =
      new Question(
          "stock DPDK, %d devices, guest of %d GiB, implicit presetup; to QEMU's order"
              .formatted(DEVICES, LARGE_GIB),
          new Goal.Known());

  private static final Question FLAT =
      new Question(
          "stock DPDK, %d devices, implicit presetup, guest of %d GiB; to one of %d GiB"
              .formatted(DEVICES, LARGE_GIB, SMALL_GIB),
          new Goal.Flat(1.5));

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /** A benchmark without state. */
  public DpdkBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    var rows = new Questions(List.of(SHORTER, LARGER, FLAT));
    Optional<String> missing = Testpmd.available().or(DpdkBench::tooLittleMemory);
    if (missing.isPresent()) {
      return rows.rows().stream().map(row -> row.is(new Measured.Not(missing.get()))).toList();
    }
    return rows.ask(() -> measure(Math.max(1, effort.rounds() / ROUNDS_EACH)));
  }

  /**
   * Checks that both guests fit into memory, because all their pages are written. Otherwise the
   * kernel would kill a process.
   */
  private static Optional<String> tooLittleMemory() {
    try (var lines = Files.lines(MEMORY)) {
      return lines
          .filter(line -> line.startsWith(AVAILABLE))
          .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) >> 20)
          .filter(free -> free < SMALL_GIB + LARGE_GIB + SPARE_GIB)
          .map("only %d GiB of memory are free"::formatted)
          .findFirst();
    } catch (IOException e) {
      return Optional.of(MEMORY + ": " + e.getMessage());
    }
  }

  private List<BenchRow> measure(int rounds) {
    try (var opened = new Opened()) {
      Path directory = opened.add(TemporaryDirectory.make()).path();
      Testpmd.Builder builder = Testpmd.builder().queuePairs(PAIRS);
      for (int i = 0; i < DEVICES; i++) {
        builder.port(directory.resolve("port" + i));
      }
      Testpmd testpmd = opened.add(builder.start(Deadline.after(PATIENCE)));
      StillMachine small = opened.add(machine(SMALL_GIB));
      StillMachine large = opened.add(machine(LARGE_GIB));
      // The first round warms up both processes.
      List<Histogram> both =
          Rounds.run(
              new Effort(1, rounds),
              List.of(
                  () -> preset(small, testpmd),
                  () -> off(small, testpmd),
                  () -> preset(large, testpmd)));
      List<Histogram> larger =
          Rounds.run(
              new Effort(0, Math.max(2, rounds / 3)),
              List.of(() -> preset(large, testpmd), () -> off(large, testpmd)));
      return List.of(
          SHORTER.timed(both.get(0), both.get(1)),
          LARGER.timed(larger.get(0), larger.get(1), shorter(larger)),
          FLAT.timed(both.get(2), both.get(0)));
    }
  }

  private static String shorter(List<Histogram> times) {
    return Times.of(times.get(0)).shorterThan(Times.of(times.get(1)));
  }

  private StillMachine machine(int gibibytes) {
    var shape = new StillMachine.Shape(DEVICES, PAIRS, (long) gibibytes << 30);
    var machine = new StillMachine(shape, ledger);
    machine.writeMemory();
    return machine;
  }

  /** Returns the nanoseconds of a window in QEMU's order, without presetup. */
  private static long off(StillMachine machine, Testpmd testpmd) {
    List<VhostNet> nets = connect(machine, testpmd);
    try {
      try (var window = new StartWindow(nets, QemuOrder.QEMU)) {
        return nanos(window, nets, states(machine, nets));
      }
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  /** Returns the nanoseconds of a window after implicit presetup and a rehearsal. */
  private static long preset(StillMachine machine, Testpmd testpmd) {
    List<VhostNet> nets = connect(machine, testpmd);
    try {
      List<VirtioNetState> states = states(machine, nets);
      List<EarlyState> early = new ArrayList<>();
      for (int i = 0; i < nets.size(); i++) {
        early.add(new EarlyState(nets.get(i), states.get(i), 1));
      }
      for (PresetupResult result :
          VhostNetGroup.presetupUnrehearsed(PresetupMode.IMPLICIT, early, () -> false)) {
        if (!result.done()) {
          throw new VhostException("presetup: " + result.note(), Recovery.GIVE_UP);
        }
      }
      early.forEach(DpdkBench::rehearse);
      try (var window = new StartWindow(nets, StartOrder.PLANNED)) {
        return nanos(window, nets, states);
      }
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  /** As a migration's destination does it. */
  private static void rehearse(EarlyState early) {
    early.net().migration().prepareStart(early.state());
    try (RehearsalDevice actor = early.net().migration().rehearsal(Deadline.after(REHEARSING))) {
      actor.preset(PresetupMode.IMPLICIT, early.state());
      actor.prepareStart(early.state());
      for (int i = 0; i < REHEARSALS; i++) {
        actor.rewind(false);
        actor.net().restore(early.state());
        VhostNetGroup.start(List.of(actor.net()), StartOrder.PLANNED);
      }
    }
  }

  private static long nanos(StartWindow window, List<VhostNet> nets, List<VirtioNetState> states) {
    for (int i = 0; i < nets.size(); i++) {
      nets.get(i).restore(StillMachine.later(states.get(i)));
    }
    long nanos = window.start();
    window.check();
    return nanos;
  }

  private static List<VhostNet> connect(StillMachine machine, Testpmd testpmd) {
    List<Path> sockets = IntStream.range(0, DEVICES).mapToObj(testpmd::socket).toList();
    return machine.connect(sockets, Dialect.UPSTREAM, BackEndProfile.DPDK);
  }

  private static List<VirtioNetState> states(StillMachine machine, List<VhostNet> nets) {
    List<VirtioNetState> states = new ArrayList<>();
    for (int i = 0; i < nets.size(); i++) {
      states.add(machine.live(nets.get(i), i));
    }
    return states;
  }
}
