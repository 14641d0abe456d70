package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.SocketLink;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.testkit.process.Transcript;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.HdrHistogram.Histogram;

/**
 * The first stop window of a JVM, against later ones in the same JVM. The destination is its own
 * process, started again for each sample. The source is in this process, so that only the
 * destination is cold. All back ends are one C program, peer.c.
 *
 * <pre>
 *   this JVM                           a fresh JVM
 *   source  -------stream----------->  destination: presetup, rehearsal | window 1
 *      |                                   |        presetup, window    | window 2 ... n: warm
 *      +-----> peer.c: back ends &lt;---------+
 * </pre>
 */
public final class ColdStartBench implements Bench {
  static final long MEMORY_BYTES = 4 << 20;
  private static final int DEVICES = 2;
  private static final int PAIRS = 1;

  /** Rounds of {@link Effort} that one JVM takes the place of. */
  private static final int ROUNDS_EACH = 12;

  /** Of each JVM. */
  private static final int MIGRATIONS = 20;

  /** The last ones, which count as warm. */
  private static final int WARM = 10;

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final Question ROW =
      new Question(
          "first stop window of a fresh JVM, %d devices; to a warm one".formatted(DEVICES),
          new Goal.Within(2, false));

  private static final Question AROUND =
      new Question(
          "%d devices, last final record to resume, without the barrier".formatted(DEVICES),
          new Goal.NoMore(50, "us"));

  private static final Question SOURCE =
      new Question(
          "%d devices, source's pause to COMMIT, no dirty pages".formatted(DEVICES),
          new Goal.NoMore(300, "us"));

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /**
   * A migration to a fresh JVM.
   *
   * @param window at the destination
   * @param sourceNanos from the source's pause to its COMMIT
   */
  record Migration(FreshDestination.Window window, long sourceNanos) {}

  /** A benchmark without state. */
  public ColdStartBench() {}

  /** The sockets of the destination's back ends; the source's come after them. */
  static List<Path> backEnds(Path directory, int devices) {
    return sockets(directory, 0, devices);
  }

  private static List<Path> sockets(Path directory, int first, int count) {
    return IntStream.range(first, first + count).mapToObj(i -> directory.resolve("" + i)).toList();
  }

  static Path link(Path directory) {
    return directory.resolve("link");
  }

  @Override
  public List<BenchRow> run(Effort effort) {
    List<BenchRow> rows =
        new ArrayList<>(
            Questions.of(ROW, AROUND)
                .askWithPeerAnywhere(program -> destination(program, samples(effort))));
    rows.addAll(Questions.of(SOURCE).askWithPeer(program -> source(program, samples(effort))));
    return rows;
  }

  private static int samples(Effort effort) {
    return Math.max(1, effort.rounds() / ROUNDS_EACH);
  }

  private List<BenchRow> destination(PeerProgram program, int samples) {
    Histogram first = new Histogram(3);
    Histogram warm = new Histogram(3);
    Histogram around = new Histogram(3);
    // The first one is for the source to become warm.
    List<List<Migration>> jvms = jvms(program, samples + 1, MIGRATIONS, List.of());
    for (List<Migration> jvm : jvms.subList(1, jvms.size())) {
      List<Migration> last = jvm.subList(MIGRATIONS - WARM, MIGRATIONS);
      first.recordValue(jvm.getFirst().window().nanos());
      warm.recordValue(median(last));
      last.forEach(m -> around.recordValue(m.window().withoutBarrierNanos()));
    }
    return List.of(ROW.timed(first, warm, samples + " JVMs"), AROUND.is(micros(around, "warm")));
  }

  /**
   * The source has a core of its own, as it has on a host of its own: a message of it would
   * otherwise let the destination run there first.
   */
  private List<BenchRow> source(PeerProgram program, int samples) {
    Histogram source = new Histogram(3);
    List<List<Migration>> jvms = jvms(program, samples + 1, MIGRATIONS, List.of());
    jvms.subList(1, jvms.size())
        .forEach(jvm -> jvm.forEach(m -> source.recordValue(m.sourceNanos())));
    String placed = "rings' stop too; source and the others: " + program.cores().describe();
    return List.of(SOURCE.is(micros(source, placed)));
  }

  private static Measured micros(Histogram nanos, String note) {
    Times times = Times.of(nanos);
    return new Measured.Counted(
        TimeUnit.NANOSECONDS.toMicros(times.p50()),
        "us",
        "%s; p99 %d us".formatted(note, TimeUnit.NANOSECONDS.toMicros(times.p99())));
  }

  /**
   * Lets fresh JVMs be destinations, one JVM after the other.
   *
   * @param options of these JVMs, further ones
   * @return by JVM, its migrations in order
   */
  List<List<Migration>> jvms(
      PeerProgram program, int samples, int migrations, List<String> options) {
    List<List<Migration>> all = new ArrayList<>();
    try (var opened = new Opened()) {
      Path directory =
          opened.add(AnsweringPeer.start(program, 2 * DEVICES, Duration.ZERO)).directory();
      List<Path> backEnds = sockets(directory, DEVICES, DEVICES);
      var machine =
          opened.add(
              new StillMachine(new StillMachine.Shape(DEVICES, PAIRS, MEMORY_BYTES), ledger));
      for (int i = 0; i < samples; i++) {
        all.add(jvm(program.cores(), directory, machine, backEnds, migrations, options));
      }
    }
    return all;
  }

  private static long median(List<Migration> migrations) {
    long[] nanos = migrations.stream().mapToLong(m -> m.window().nanos()).sorted().toArray();
    return nanos[nanos.length / 2];
  }

  private List<Migration> jvm(
      Cores cores,
      Path directory,
      StillMachine machine,
      List<Path> backEnds,
      int migrations,
      List<String> options) {
    List<String> arguments =
        List.of(
            directory.toString(),
            Integer.toString(DEVICES),
            Integer.toString(PAIRS),
            Integer.toString(migrations));
    List<String> command =
        cores.backEnd(ThisJvm.command(options, FreshDestination.class, arguments));
    try (var caller = new OneCaller(link(directory));
        var child = ChildProcess.leashed("a fresh JVM", command, Map.of())) {
      Transcript said = child.transcript();
      try (var link = SocketLink.over(caller.accept(deadline()))) {
        List<Migration> all = new ArrayList<>();
        for (int i = 0; i < migrations; i++) {
          long from = said.position();
          long sourceNanos = migrate(machine, backEnds, link);
          String text = said.awaitText(FreshDestination.UNIT, from, deadline(), "a fresh JVM");
          all.add(new Migration(FreshDestination.Window.of(text), sourceNanos));
        }
        return all;
      } catch (VhostException | IllegalArgumentException e) {
        throw new VhostException(
            "a fresh JVM: %s; %s".formatted(e.getMessage(), child.lastLines()),
            Recovery.GIVE_UP,
            e);
      }
    }
  }

  private static Deadline deadline() {
    return Deadline.after(PATIENCE);
  }

  /**
   * Boots the devices at their back ends here, and lets the other side have them.
   *
   * @return nanoseconds from the pause to COMMIT
   */
  private long migrate(StillMachine machine, List<Path> backEnds, MigrationLink link) {
    List<VhostNet> nets =
        machine.connect(backEnds, FreshDestination.DIALECT, BackEndProfile.NVIDIA_VFE);
    try {
      for (int i = 0; i < nets.size(); i++) {
        nets.get(i).restore(machine.live(nets.get(i), i));
        nets.get(i).start();
      }
      SourceReport report =
          MigrationSource.builder(ledger)
              .devices(nets)
              .ram(new PreCopySource(machine.memory(), 0, Runnable::run))
              .vm(new FreshDestination.NobodyRuns())
              .link(link)
              .build()
              .run();
      return report.committedNanos() - report.pausingNanos();
    } finally {
      nets.forEach(VhostNet::close);
    }
  }
}
