package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.bench.AnsweringPeer.Conversation;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.StartOrder;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * That peer.c is built, and that what is compared is the same. What it took is nobody's business.
 */
class PeerProgramTest {
  private static final Effort ONE_ROUND = new Effort(0, 1);

  @BeforeEach
  void needsACompiler() {
    Optional<String> missing = PeerProgram.missing();
    assumeTrue(missing.isEmpty(), () -> "skipped: " + missing.orElse(""));
  }

  @Test
  void theBackEndHearsTheSameOfTheLibraryAndOfC() {
    try (Cores cores = Cores.split();
        var program = PeerProgram.build(cores);
        var contest = new WindowContest(program, 2, 3)) {
      // Each compares what was heard with what was recorded, and throws where it differs.
      assertThat(contest.planned()).isPositive();
      assertThat(contest.c()).isPositive();
      assertThat(contest.off()).isPositive();

      // Six rings of each device: their bases, status and barrier.
      assertThat(contest.describe()).startsWith("16 messages in 2 writes");
      assertThat(contest.said()).extracting(Conversation::device).containsExactly(0, 1);
      assertThat(contest.said().get(0).descriptors()).isEqualTo(13); // and one of guest memory
      assertThat(contest.said().get(0).sum()).isNotEqualTo("0000000000000000");
    }
  }

  @Test
  void nothingIsToldEarlyInQemusOrder() {
    try (Cores cores = Cores.split();
        var program = PeerProgram.build(cores);
        var backEnd = AnsweringPeer.start(program, 1, Duration.ZERO);
        var arrivals =
            new Arrivals(DescriptorLedger.counting(), 1, backEnd.sockets(1).getFirst())) {
      backEnd.awaitClosed(1);

      WindowRound early = WindowRound.go(arrivals, backEnd, 1, StartOrder.PLANNED);
      WindowRound late = WindowRound.go(arrivals, backEnd, 1, QemuOrder.QEMU);

      assertThat(late.messages()).isGreaterThan(early.messages());
      assertThat(early.heard().getFirst().descriptors())
          .isEqualTo(late.heard().getFirst().descriptors());
    }
  }

  @Test
  void aModelledDelayPassesBeforeTheBarrierIsAnswered() {
    Duration delay = Duration.ofMillis(50);
    try (Cores cores = Cores.split();
        var program = PeerProgram.build(cores);
        var backEnd = AnsweringPeer.start(program, 3, delay);
        var arrivals =
            new Arrivals(DescriptorLedger.counting(), 1, backEnd.sockets(1).getFirst())) {
      backEnd.awaitClosed(1);

      WindowRound round = WindowRound.go(arrivals, backEnd, 3, StartOrder.PLANNED);

      assertThat(round.nanos()).isGreaterThanOrEqualTo(delay.toNanos());
      assertThat(round.heard()).hasSize(3);
    }
  }

  @Test
  void sourceStopsAndPlansAreMeasured() {
    for (Bench bench : List.<Bench>of(new SourceStopBench(), new PlannerBench())) {
      assertThat(bench.run(ONE_ROUND))
          .isNotEmpty()
          .allSatisfy(row -> assertThat(row.measured()).isInstanceOf(Measured.Timed.class));
    }
  }

  @Test
  void devicesThatIdleAreLookedAtInAJvmOfTheirOwn() {
    try (Cores cores = Cores.split();
        var program = PeerProgram.build(cores);
        var backEnd = AnsweringPeer.start(program, 80, Duration.ZERO)) {
      IdleDevices idle = IdleDevices.look(80, backEnd);

      assertThat(idle.threads()).isZero();
      assertThat(idle.heapBytes()).isPositive();
    }
  }
}
