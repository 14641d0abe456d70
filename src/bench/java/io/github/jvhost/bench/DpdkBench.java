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
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
 *
 * <p>Presetup and window are also held against peer.c, which sends the same to the same process.
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

  /** How many windows there are for each round of the other rows. */
  private static final int WINDOWS_EACH = 4;

  private static final int REHEARSALS = 100;

  /**
   * From presetup to the window, for C as for us, who rehearse in it first. A guest's window comes
   * at least as late, and by then testpmd's code and data have left the caches.
   */
  private static final Duration PAUSE = Duration.ofMillis(100);

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

  private static final Question WINDOW_TO_C =
      new Question(
          "stock DPDK, %d devices, guest of %d GiB, the window; to C that sends the same"
              .formatted(DEVICES, SMALL_GIB),
          new Goal.Within(1.15, false));

  private static final Question PRESETUP_TO_C =
      new Question(
          "stock DPDK, %d devices, guest of %d GiB, presetup; to C that sends the same"
              .formatted(DEVICES, LARGE_GIB),
          new Goal.Within(1.05, false));

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /** A benchmark without state. */
  public DpdkBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    var alone = Questions.of(SHORTER, LARGER, FLAT);
    var toC = Questions.of(WINDOW_TO_C, PRESETUP_TO_C);
    Optional<String> missing = Testpmd.available().or(DpdkBench::tooLittleMemory);
    if (missing.isPresent()) {
      var not = new Measured.Not(missing.get());
      return Stream.of(alone, toC).flatMap(rows -> rows.all(not).stream()).toList();
    }
    int rounds = Math.max(1, effort.rounds() / ROUNDS_EACH);
    List<BenchRow> rows = new ArrayList<>(alone.ask(() -> againstQemusOrder(rounds)));
    rows.addAll(toC.askWithPeerAnywhere(program -> againstC(program, rounds)));
    return rows;
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

  /** Implicit presetup and QEMU's order in turn, with both guests. */
  private List<BenchRow> againstQemusOrder(int rounds) {
    try (var opened = new Opened()) {
      List<Path> testpmd = sockets(testpmd(opened));
      StillMachine small = opened.add(machine(SMALL_GIB));
      StillMachine large = opened.add(machine(LARGE_GIB));
      // The first round warms up both processes.
      List<Histogram> both =
          Rounds.run(
              new Effort(1, rounds),
              List.of(
                  () -> arrive(small, testpmd).window(),
                  () -> off(small, testpmd),
                  () -> arrive(large, testpmd).window()));
      List<Histogram> larger =
          Rounds.run(
              new Effort(0, Math.max(2, rounds / 3)),
              List.of(() -> arrive(large, testpmd).window(), () -> off(large, testpmd)));
      return List.of(
          SHORTER.timed(both.get(0), both.get(1)),
          LARGER.timed(larger.get(0), larger.get(1), shorter(larger)),
          FLAT.timed(both.get(2), both.get(0)));
    }
  }

  /** Ours and C in turn. C does presetup and window in one round, and each is timed. */
  private List<BenchRow> againstC(PeerProgram program, int rounds) {
    try (var opened = new Opened()) {
      List<Path> sockets = sockets(testpmd(opened));
      StillMachine small = opened.add(machine(SMALL_GIB));
      StillMachine large = opened.add(machine(LARGE_GIB));
      TellingPeer smallC = opened.add(c(program, small, sockets));
      TellingPeer largeC = opened.add(c(program, large, sockets));
      // A window is far shorter than its round, so that there are more of them.
      List<Histogram> window =
          Rounds.run(
              new Effort(2, WINDOWS_EACH * rounds),
              List.of(
                  () -> arrive(small, sockets).window(),
                  () -> smallC.round(PAUSE).phases().get(1)));
      List<Histogram> presetup =
          Rounds.run(
              new Effort(1, rounds),
              List.of(
                  () -> arrive(large, sockets).presetup(), () -> largeC.round().phases().get(0)));
      return List.of(
          WINDOW_TO_C.timed(window.get(0), window.get(1)),
          PRESETUP_TO_C.timed(presetup.get(0), presetup.get(1)));
    }
  }

  /** A C program that sends what the library sends to back ends that map the machine's memory. */
  private TellingPeer c(PeerProgram program, StillMachine machine, List<Path> sockets) {
    try (var recorder =
        new ConversationRecorder(sockets, program.newDirectory(), Dialect.UPSTREAM, ledger)) {
      arrive(machine, recorder.sockets(), recorder::phaseBegins);
      return TellingPeer.start(program, recorder.finish(), machine.memoryFile(), sockets);
    }
  }

  private static Testpmd testpmd(Opened opened) {
    Path directory = opened.add(TemporaryDirectory.make()).path();
    Testpmd.Builder builder = Testpmd.builder().queuePairs(PAIRS);
    for (int i = 0; i < DEVICES; i++) {
      builder.port(directory.resolve("port" + i));
    }
    return opened.add(builder.start(Deadline.after(PATIENCE)));
  }

  private static List<Path> sockets(Testpmd testpmd) {
    return IntStream.range(0, DEVICES).mapToObj(testpmd::socket).toList();
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
  private static long off(StillMachine machine, List<Path> sockets) {
    List<VhostNet> nets = connect(machine, sockets);
    try {
      try (var window = new StartWindow(nets, QemuOrder.QEMU)) {
        return windowNanos(window, nets, states(machine, nets));
      }
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  /**
   * How long a destination took.
   *
   * @param presetup nanoseconds of it
   * @param window nanoseconds up to the last barrier's answer
   */
  private record Arrival(long presetup, long window) {}

  private static Arrival arrive(StillMachine machine, List<Path> sockets) {
    return arrive(machine, sockets, () -> {});
  }

  /**
   * Connects anew; implicit presetup, a rehearsal, a pause, and the window.
   *
   * @param phase is called before presetup and before the window
   */
  private static Arrival arrive(StillMachine machine, List<Path> sockets, Runnable phase) {
    List<VhostNet> nets = connect(machine, sockets);
    try {
      List<VirtioNetState> states = states(machine, nets);
      List<EarlyState> early = new ArrayList<>();
      for (int i = 0; i < nets.size(); i++) {
        early.add(new EarlyState(nets.get(i), states.get(i), 1));
      }
      phase.run();
      Arrivals.beBusy(System.nanoTime());
      long from = System.nanoTime();
      for (PresetupResult result :
          VhostNetGroup.presetupUnrehearsed(PresetupMode.IMPLICIT, early, () -> false)) {
        if (!result.done()) {
          throw new VhostException("presetup: " + result.note(), Recovery.GIVE_UP);
        }
      }
      long presetup = System.nanoTime() - from;
      early.forEach(DpdkBench::rehearse);
      LockSupport.parkNanos(from + presetup + PAUSE.toNanos() - System.nanoTime());
      phase.run();
      try (var window = new StartWindow(nets, StartOrder.PLANNED)) {
        return new Arrival(presetup, windowNanos(window, nets, states));
      }
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  /** As a migration's destination does it. */
  static void rehearse(EarlyState early) {
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

  /** The guest has stopped: restores the final states, and starts. */
  static long windowNanos(StartWindow window, List<VhostNet> nets, List<VirtioNetState> states) {
    for (int i = 0; i < nets.size(); i++) {
      nets.get(i).restore(StillMachine.later(states.get(i)));
    }
    Arrivals.beBusy(System.nanoTime());
    long nanos = window.start();
    window.check();
    return nanos;
  }

  private static List<VhostNet> connect(StillMachine machine, List<Path> sockets) {
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
