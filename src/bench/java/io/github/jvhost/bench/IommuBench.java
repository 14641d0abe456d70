package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.HdrHistogram.Histogram;

/**
 * A device behind an IOMMU at a stock {@code dpdk-testpmd}: what its translations cost in the stop
 * window, and what one invalidation costs.
 *
 * <pre>
 *   preset:        memory table, translations, rings | base, status | answer
 *   not preset:    memory table, rings | translations, base, status | answer
 * </pre>
 */
public final class IommuBench implements Bench {
  private static final List<Integer> PAGES = List.of(0, 100, 1000);
  private static final int FEW = 10;
  private static final int MANY = 1000;
  private static final StillMachine.Shape SHAPE = new StillMachine.Shape(1, 1, 64 << 20);
  private static final long PAGE = 4096;

  /** Buffers are at these I/O virtual addresses, with a page of nothing behind each. */
  private static final long BUFFERS = 1L << 40;

  private static final long BUFFER_MEMORY = 16 << 20;

  /** A window takes a tenth of a second with what comes before it. */
  private static final double WINDOWS = 0.25;

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final Question FLAT =
      new Question(
          "stock DPDK, behind an IOMMU, %d translations preset; to none but the rings'"
              .formatted(MANY),
          new Goal.Flat(1.5));

  private static final Question INVALIDATION =
      new Question(
          "stock DPDK, behind an IOMMU, one invalidation with %d translations; with %d"
              .formatted(MANY, FEW),
          new Goal.Known());

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /** A benchmark without state. */
  public IommuBench() {}

  private static Question preset(int pages) {
    return new Question(
        "stock DPDK, behind an IOMMU, rings and %d translations preset; to the same in the window"
            .formatted(pages),
        new Goal.Known());
  }

  @Override
  public List<BenchRow> run(Effort effort) {
    List<Question> questions = new ArrayList<>(PAGES.stream().map(IommuBench::preset).toList());
    questions.add(FLAT);
    questions.add(INVALIDATION);
    var all = new Questions(questions);
    Optional<String> missing = Testpmd.available();
    return missing.isPresent()
        ? all.all(new Measured.Not(missing.get()))
        : all.ask(() -> measure(effort));
  }

  private List<BenchRow> measure(Effort effort) {
    List<BenchRow> rows = new ArrayList<>();
    try (var opened = new Opened()) {
      Path directory = opened.add(TemporaryDirectory.make()).path();
      Testpmd testpmd =
          opened.add(
              Testpmd.builder()
                  .port(directory.resolve("few"))
                  .port(directory.resolve("many"))
                  .noMlockall()
                  .iommu()
                  .start(Deadline.after(PATIENCE)));
      rows.addAll(windows(opened, testpmd.socket(0), effort));
      rows.add(invalidations(opened, testpmd, effort));
    }
    return rows;
  }

  /** A machine, whose IOMMU knows nothing before its state has come from the source. */
  private final class Guest implements Iommu {
    final int pages;
    final StillMachine machine;
    final IommuTable mapped = new IommuTable();
    private volatile boolean known;

    /** Maps the rings and so many pages. */
    Guest(Opened opened, int pages) {
      this.pages = pages;
      machine = opened.add(new StillMachine(SHAPE, this, ledger));
      machine.writeMemory();
      mapped.map(
          StillMachine.RINGS_AT, StillMachine.RINGS_AT, machine.ringBytes(), Access.READ_WRITE);
      for (int i = 0; i < pages; i++) {
        mapped.map(buffer(i));
      }
    }

    /** Whether its state is here. */
    void known(boolean now) {
      known = now;
    }

    @Override
    public Optional<Translation> translate(long iova, Access access) {
      return known ? mapped.translate(iova, access) : Optional.empty();
    }

    VhostNet connect(Path socket) {
      return machine.connect(List.of(socket), Dialect.UPSTREAM, BackEndProfile.DPDK).getFirst();
    }
  }

  private static Translation buffer(int number) {
    return new Translation(
        BUFFERS + 2 * PAGE * number, BUFFER_MEMORY + PAGE * number, PAGE, Access.READ_WRITE);
  }

  // ---- the window ----

  private List<BenchRow> windows(Opened opened, Path socket, Effort effort) {
    List<Rounds.Contestant> contestants = new ArrayList<>();
    for (int pages : PAGES) {
      Guest guest = new Guest(opened, pages);
      contestants.add(() -> window(guest, socket, true));
      contestants.add(() -> window(guest, socket, false));
    }
    List<Histogram> times = Rounds.run(effort.times(WINDOWS), contestants);
    List<BenchRow> rows = new ArrayList<>();
    for (int i = 0; i < PAGES.size(); i++) {
      rows.add(preset(PAGES.get(i)).timed(times.get(2 * i), times.get(2 * i + 1)));
    }
    rows.add(FLAT.timed(times.get(2 * PAGES.indexOf(MANY)), times.getFirst()));
    return rows;
  }

  /**
   * Connects anew; presetup, a rehearsal, and the window. Returns its nanoseconds.
   *
   * @param preset whether the translations are preset; otherwise they are told in the window
   */
  private static long window(Guest guest, Path socket, boolean preset) {
    guest.known(false);
    try (VhostNet net = guest.connect(socket)) {
      VirtioNetState state = guest.machine.live(net, 0);
      if (preset) {
        net.migration().expectTranslations(guest.mapped.mappings());
      }
      var early = new EarlyState(net, state, 1);
      for (PresetupResult result :
          VhostNetGroup.presetupUnrehearsed(PresetupMode.IMPLICIT, List.of(early), () -> false)) {
        if (!result.done()) {
          throw new VhostException("presetup: " + result.note(), Recovery.GIVE_UP);
        }
      }
      if (!preset) {
        net.migration().expectTranslations(guest.mapped.mappings());
      }
      DpdkBench.rehearse(early);
      int held = net.iotlb().told();
      if (held != (preset ? guest.mapped.mappings().size() : 0)) {
        throw new VhostException(held + " translations are preset", Recovery.GIVE_UP);
      }
      guest.known(true);
      try (var window = new StartWindow(List.of(net), StartOrder.PLANNED)) {
        return DpdkBench.windowNanos(window, List.of(net), List.of(state));
      }
    }
  }

  // ---- invalidations ----

  /** Of a device that runs and has no traffic. */
  private BenchRow invalidations(Opened opened, Testpmd testpmd, Effort effort) {
    Guest few = new Guest(opened, FEW);
    Guest many = new Guest(opened, MANY);
    VhostNet atFew = opened.add(running(few, testpmd.socket(0)));
    VhostNet atMany = opened.add(running(many, testpmd.socket(1)));
    List<Histogram> times =
        Rounds.run(
            effort.times(10),
            List.of(() -> invalidation(atMany, many), () -> invalidation(atFew, few)));
    return INVALIDATION.timed(times.get(0), times.get(1));
  }

  private static VhostNet running(Guest guest, Path socket) {
    guest.known(true);
    VhostNet net = guest.connect(socket);
    net.restore(guest.machine.live(net, 0));
    net.restore(StillMachine.later(net.snapshot()));
    net.start();
    for (int i = 0; i < guest.pages; i++) {
      net.iotlbUpdate(buffer(i).iova(), PAGE);
    }
    return net;
  }

  /** The nanoseconds of one; before it the page is mapped and told, which does not count. */
  private static long invalidation(VhostNet net, Guest guest) {
    Translation page = buffer(guest.pages);
    guest.mapped.map(page);
    net.iotlbUpdate(page.iova(), PAGE);
    guest.mapped.unmap(page.iova(), PAGE);
    long from = System.nanoTime();
    net.iotlbInvalidate(page.iova(), PAGE);
    return System.nanoTime() - from;
  }
}
