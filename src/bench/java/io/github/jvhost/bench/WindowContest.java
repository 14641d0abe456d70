package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.bench.AnsweringPeer.Conversation;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import java.time.Duration;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * One stop window, gone through in four ways at the same back end: by the library after presetup,
 * by a C program that sends the same bytes, by one that sends kicks and calls too, and by the
 * library in QEMU's order without presetup. Used by one thread at a time.
 *
 * <p>After every round it compares what the back end received from the library and from the C
 * program.
 */
final class WindowContest implements AutoCloseable {
  private final Opened opened = new Opened();
  private final int devices;
  private final String cores;
  private final AnsweringPeer backEnd;
  private final Arrivals arrivals;
  private final Recording recording;
  private final TellingPeer c;
  private final TellingPeer rfc;

  private boolean disturbed;
  private long backEndPreemptions;

  /** What the back end has to receive from each front end that sends the recorded window. */
  private final List<Conversation> said;

  WindowContest(PeerProgram program, int devices, int pairs) {
    this.devices = devices;
    this.cores = program.cores().describe();
    DescriptorLedger ledger = DescriptorLedger.counting();
    try {
      backEnd = opened.add(AnsweringPeer.start(program, devices, Duration.ZERO));
      arrivals = opened.add(new Arrivals(ledger, pairs, backEnd.sockets(1).getFirst()));
      backEnd.awaitClosed(1);
      recording = record(program, ledger);
      said = backEnd.awaitClosed(devices);
      c = opened.add(TellingPeer.start(program, recording, backEnd.sockets(devices)));
      rfc =
          opened.add(
              TellingPeer.start(program, recording.withKicksAndCalls(), backEnd.sockets(devices)));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private Recording record(PeerProgram program, DescriptorLedger ledger) {
    try (var recorder =
        new ConversationRecorder(
            backEnd.sockets(devices), program.newDirectory(), Arrivals.DIALECT, ledger)) {
      List<VhostNet> nets = arrivals.connect(recorder.sockets());
      try {
        arrivals.presetup(nets);
        try (var window = new StartWindow(nets, StartOrder.PLANNED)) {
          arrivals.complete(nets);
          recorder.phaseBegins();
          window.start();
          window.check();
        }
      } finally {
        Arrivals.leave(nets);
      }
      return recorder.finish();
    }
  }

  /** What is sent, in words. */
  String describe() {
    return recording.describe(0) + ", " + cores;
  }

  /** What the back end hears in one round of {@link #planned} or {@link #c}. */
  List<Conversation> said() {
    return said;
  }

  /**
   * The library, C that sends the same, and C that sends kicks and calls too, in turn.
   *
   * @return times of all three, in this order, without rounds in which the kernel took the core
   *     away from one of them or from the back end
   */
  Rounds.Undisturbed againstC(Effort effort) {
    return Rounds.undisturbed(
        effort, List.of(this::planned, this::c, this::rfc), this::takeDisturbed);
  }

  /**
   * The library after presetup and in QEMU's order, in turn.
   *
   * @return times of both, in this order
   */
  List<Histogram> againstOff(Effort effort) {
    return Rounds.run(effort, List.of(this::planned, this::off));
  }

  /** Ours: after an explicit presetup, all devices side by side. Nanoseconds of the window. */
  long planned() {
    WindowRound round = WindowRound.go(arrivals, backEnd, devices, StartOrder.PLANNED);
    requireTheSame("the library", round.heard());
    disturbed |= round.preemptions() > 0;
    return round.nanos();
  }

  /** The C program. Nanoseconds of the window. */
  long c() {
    TellingPeer.Round round = c.round();
    requireTheSame("the C program", backEnd.awaitClosed(devices));
    disturbed |= round.preemptions() > 0;
    return round.phases().getFirst();
  }

  /** The C program that sends kicks and calls too. Nanoseconds of the window. */
  private long rfc() {
    TellingPeer.Round round = rfc.round();
    backEnd.awaitClosed(devices);
    disturbed |= round.preemptions() > 0;
    return round.phases().getFirst();
  }

  /** The library without presetup, in QEMU's order. Returns the nanoseconds of the window. */
  long off() {
    return WindowRound.go(arrivals, backEnd, devices, QemuOrder.QEMU).nanos();
  }

  /** Whether anybody was preempted since the last call. */
  private boolean takeDisturbed() {
    boolean was = disturbed || backEnd.preemptions() != backEndPreemptions;
    disturbed = false;
    backEndPreemptions = backEnd.preemptions();
    return was;
  }

  private void requireTheSame(String who, List<Conversation> heard) {
    if (!heard.equals(said)) {
      throw new VhostException(
          "the back end heard something else of %s than was recorded: %s, not %s"
              .formatted(who, heard, said),
          Recovery.GIVE_UP);
    }
  }

  @Override
  public void close() {
    opened.close();
  }
}
