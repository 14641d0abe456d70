package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.HdrHistogram.Histogram;

/**
 * How long a back end is being started, by its own record: by a real QEMU, by us in QEMU's order,
 * and by us after explicit presetup. All three are told the same of one device, in turn, by front
 * ends to the same mock back end.
 *
 * <pre>
 *   first message .............. SET_STATUS with DRIVER_OK     as they arrive at the back end
 *   |&lt;------ what is timed ----------------&gt;|
 * </pre>
 *
 * <p>QEMU's guest does nothing at all: a stream of a machine just switched on is changed so that
 * its device is live, and QEMU takes it ({@link QemuArrival}). Its {@code cont} starts the device,
 * its {@code stop} stops it, again and again.
 */
public final class QemuBench implements Bench {
  static final int PAIRS = 4;
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final Question OURS =
      new Question(
          "start as a back end sees it, 1 device, %d queue pairs, explicit presetup; to a real QEMU"
              .formatted(PAIRS),
          new Goal.Known());

  private static final Question BASELINE =
      new Question(
          "start as a back end sees it, 1 device, %d queue pairs, QEMU's order; to a real QEMU"
              .formatted(PAIRS),
          new Goal.Known());

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /** A benchmark without state. */
  public QemuBench() {}

  static Deadline deadline() {
    return Deadline.after(PATIENCE);
  }

  @Override
  public List<BenchRow> run(Effort effort) {
    var rows = new Questions(List.of(OURS, BASELINE));
    Optional<String> missing = QemuSystem.available();
    if (missing.isPresent()) {
      return rows.rows().stream().map(row -> row.is(new Measured.Not(missing.get()))).toList();
    }
    return rows.ask(() -> measure(effort));
  }

  private List<BenchRow> measure(Effort effort) {
    try (var opened = new Opened()) {
      Path directory = opened.add(TemporaryDirectory.make()).path();
      MockBackEnd qemus = opened.add(backEnd(directory.resolve("qemu")));
      MockBackEnd ours = opened.add(backEnd(directory.resolve("ours")));
      var machine =
          opened.add(new StillMachine(new StillMachine.Shape(1, PAIRS, 16 << 20), ledger));
      // From here on: QEMU goes where this thread is, and the back ends are there already.
      opened.add(Cores.split());
      QemuSystem qemu = opened.add(QemuArrival.start(qemus, directory));
      List<Histogram> times =
          Rounds.run(
              effort,
              List.of(
                  () -> explicit(machine, ours),
                  () -> baseline(machine, ours),
                  () -> started(qemu, qemus)));
      return List.of(
          OURS.timed(
              times.get(0),
              times.get(2),
              Times.of(times.get(0)).shorterThan(Times.of(times.get(2)))),
          BASELINE.timed(times.get(1), times.get(2)));
    }
  }

  private MockBackEnd backEnd(Path socket) {
    return MockBackEnd.builder(socket, ledger)
        .offer(
            BackEndOffer.of(Personality.GENERIC)
                .withDialect(Dialect.RFC_2023)
                .withQueuePairs(PAIRS))
        .start();
  }

  private static long started(QemuSystem qemu, MockBackEnd backEnd) {
    backEnd.record().forget();
    qemu.run(deadline());
    long nanos = nanosToStart(backEnd.record());
    qemu.pause(deadline());
    return nanos;
  }

  private static long explicit(StillMachine machine, MockBackEnd backEnd) {
    List<VhostNet> nets = connect(machine, backEnd);
    try {
      VirtioNetState early = machine.live(nets.getFirst(), 0);
      PresetupResult result =
          VhostNetGroup.presetupUnrehearsed(
                  PresetupMode.EXPLICIT,
                  List.of(new VhostNetGroup.EarlyState(nets.getFirst(), early, 1)),
                  () -> false)
              .getFirst();
      if (!result.done()) {
        throw new VhostException("presetup: " + result.note(), Recovery.GIVE_UP);
      }
      nets.getFirst().migration().prepareStart(early);
      return window(nets, StartOrder.PLANNED, machine, backEnd);
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  private static long baseline(StillMachine machine, MockBackEnd backEnd) {
    List<VhostNet> nets = connect(machine, backEnd);
    try {
      return window(nets, QemuOrder.QEMU, machine, backEnd);
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  private static List<VhostNet> connect(StillMachine machine, MockBackEnd backEnd) {
    return machine.connect(List.of(backEnd.socket()), Dialect.RFC_2023, BackEndProfile.GENERIC);
  }

  private static long window(
      List<VhostNet> nets, StartOrder order, StillMachine machine, MockBackEnd backEnd) {
    try (var window = new StartWindow(nets, order)) {
      nets.getFirst().restore(machine.live(nets.getFirst(), 0));
      backEnd.record().forget();
      window.start();
      window.check();
    }
    return nanosToStart(backEnd.record());
  }

  /** From the first message to the one that makes the device live. */
  private static long nanosToStart(BackEndRecord record) {
    // A RARP goes ahead of the start, or comes behind it, and is no part of it.
    if (!awaitLive(record)) {
      throw new VhostException(
          "the back end was not sent DRIVER_OK: " + record.names(), Recovery.GIVE_UP);
    }
    List<RecordedMessage> messages = record.messages();
    long first =
        messages.stream()
            .filter(m -> m.request() != FrontEndRequest.SEND_RARP)
            .findFirst()
            .orElseThrow()
            .nanos();
    return messages.stream().filter(QemuBench::makesLive).findFirst().orElseThrow().nanos() - first;
  }

  private static boolean awaitLive(BackEndRecord record) {
    try {
      return record.await(r -> r.messages().stream().anyMatch(QemuBench::makesLive), deadline());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Whether the back end was told DRIVER_OK. */
  static boolean isLive(BackEndRecord record) {
    return record.messages().stream().anyMatch(QemuBench::makesLive);
  }

  static boolean makesLive(RecordedMessage message) {
    return message.request() == FrontEndRequest.SET_STATUS
        && message.payload() instanceof U64(long status)
        && (status & DeviceStatus.DRIVER_OK) != 0;
  }
}
