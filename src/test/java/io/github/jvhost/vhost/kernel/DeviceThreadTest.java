package io.github.jvhost.vhost.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.vhost.plan.Why;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Plans on the thread of a device, one of which does not come back in time. */
class DeviceThreadTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final DeviceThread thread = new DeviceThread("net0", ledger);
  private final CountDownLatch kernelReturns = new CountDownLatch(1);
  private final CountDownLatch closed = new CountDownLatch(1);
  private final AtomicInteger steps = new AtomicInteger();

  @AfterEach
  void nothingIsLeft() throws InterruptedException {
    kernelReturns.countDown();
    thread.end(closed::countDown);
    assertThat(closed.await(20, TimeUnit.SECONDS)).isTrue();
  }

  private Execution stop(Deadline deadline) {
    return stop(deadline, 1, new Slow());
  }

  /** A plan that stops rings, from ring 1 on. */
  private Execution stop(Deadline deadline, int rings, Turn.Steps steps) {
    List<PlannedStep> planned =
        IntStream.rangeClosed(1, rings)
            .mapToObj(ring ->
                new PlannedStep(
                    new Step.StopRing(ring),
                    PlannedStep.Answer.NONE,
                    "ring %d stop".formatted(ring),
                    null,
                    null,
                    Why.STOP))
            .toList();
    var capabilities =
        new BackEndCapabilities(
            0,
            new BackEndProtocol.VhostVdpa(Optional.empty(), false, false, 256, 1500),
            1,
            512,
            BackEndProfile.VHOST_VDPA);
    var plan = new Plan(planned, capabilities, Lifecycle.STOPPED, 0, Plan.End.NOTHING);
    var turn = new Turn("net0", plan, StoppedRings.AS_ANSWERED, steps);
    return thread.execution(turn, "net0", deadline);
  }

  /** An ioctl that returns when the test says so. */
  private class Slow implements Turn.Steps {
    @Override
    public @Nullable Integer take(Step step) {
      steps.incrementAndGet();
      try {
        assertThat(kernelReturns.await(20, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      return 4711;
    }

    @Override
    public int calls() {
      return 0;
    }

    @Override
    public boolean givenUp() {
      return thread.leftBehind();
    }
  }

  @Test
  void thePollerIsWokenWhenThePlanIsDone() {
    Execution execution = stop(Deadline.after(Duration.ofSeconds(20)));
    try (var poller = new Poller(1)) {
      assertThat(execution.advance(true)).isFalse();
      poller.add(execution.number(), Poller.IN);
      kernelReturns.countDown();

      assertThat(poller.await(TimeUnit.SECONDS.toNanos(20))).isEqualTo(1);
    }
    assertThat(execution.advance(true)).isTrue();
    assertThat(execution.outcome().orThrow().baseOf(0)).isEqualTo(4711);
    assertThat(thread.leftBehind()).isFalse();
  }

  /** So the shadow keeps what the device held, and a device that runs goes on. */
  @Test
  void whatTheDeviceRefusesWithoutEffectCountsAsNotSent() {
    kernelReturns.countDown();
    var refusing =
        new Slow() {
          @Override
          public @Nullable Integer take(Step step) {
            if (step.ring() == 2) {
              throw new UnchangedException("no", Recovery.GIVE_UP);
            }
            return super.take(step);
          }
        };
    Execution execution = stop(Deadline.after(Duration.ofSeconds(20)), 3, refusing);
    try (var poller = new Poller(1)) {
      poller.add(execution.number(), Poller.IN);
      while (!execution.advance(true)) {
        poller.await(TimeUnit.SECONDS.toNanos(20));
      }
    }

    assertThat(execution.outcome().stepsTaken()).isEqualTo(1);
    assertThat(execution.outcome().stepsSent()).isEqualTo(1);
    assertThat(execution.outcome().failure()).hasMessage("net0: ring 2 stop (device stops): no");
  }

  /** Else the caller would not sleep while the next plan runs, but look again and again. */
  @Test
  void theSignalOfThePlanBeforeWakesThePollerOnce() {
    Execution before = stop(Deadline.after(Duration.ofSeconds(20)), 0, new Slow());
    try (var poller = new Poller(1)) {
      before.advance(true);
      poller.add(before.number(), Poller.IN);
      assertThat(poller.await(TimeUnit.SECONDS.toNanos(20))).isEqualTo(1);
      assertThat(before.advance(false)).isTrue();

      Execution next = stop(Deadline.after(Duration.ofSeconds(20)));
      next.advance(true);
      assertThat(poller.await(TimeUnit.SECONDS.toNanos(20))).isEqualTo(1);
      assertThat(next.advance(true)).isFalse();

      assertThat(poller.await(0)).isZero();
    }
  }

  @Test
  void anAnswerComesBackAndARefusalToo() {
    assertThat(thread.ask("ask", () -> 4711, Deadline.after(Duration.ofSeconds(20))))
        .isEqualTo(4711);
    assertThatThrownBy(() ->
            thread.ask(
                "ask",
                () -> {
                  throw new IllegalStateException("on purpose");
                },
                Deadline.after(Duration.ofSeconds(20))))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("on purpose");
    assertThat(thread.leftBehind()).isFalse();
  }

  /** As a device that VDUSE offers, whose process does not answer. */
  @Test
  void aLateAnswerIsLeftBehindWithItsThread() {
    assertThatThrownBy(() ->
            thread.ask(
                "open it",
                () -> new Slow().take(new Step.StopRing(0)),
                Deadline.after(Duration.ZERO)))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("open it: not done within")
        .hasMessageContaining("its thread is left behind");
    assertThat(thread.leftBehind()).isTrue();
    assertThat(kernelReturns.getCount()).as("the call has not returned").isEqualTo(1);
  }

  /** A device that was given up must not start later, beside the one that serves by then. */
  @Test
  void noFurtherStepIsTakenOfAPlanThatWasGivenUp() throws InterruptedException {
    Execution execution = stop(Deadline.after(Duration.ZERO), 3, new Slow());
    assertThat(execution.advance(true)).isFalse();
    assertThat(execution.advance(true)).isTrue();

    kernelReturns.countDown();
    thread.end(closed::countDown);

    assertThat(closed.await(20, TimeUnit.SECONDS)).isTrue();
    assertThat(steps).hasValueLessThanOrEqualTo(1);
    assertThat(thread.awaitEnd(Deadline.after(Duration.ofSeconds(20)))).isTrue();
  }

  /**
   * Also one that only the JVM throws, as for memory whose file has lost its pages. The thread
   * lives on: it has to close the device.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anErrorInAStepIsTheFailureOfThePlan(boolean ofTheJvm) {
    Execution execution =
        stop(
            Deadline.after(Duration.ofSeconds(20)),
            1,
            new Slow() {
              @Override
              public @Nullable Integer take(Step step) {
                if (ofTheJvm) {
                  throw new InternalError("on purpose");
                }
                throw new IllegalStateException("on purpose");
              }
            });
    try (var poller = new Poller(1)) {
      assertThat(execution.advance(true)).isFalse();
      poller.add(execution.number(), Poller.IN);
      assertThat(poller.await(TimeUnit.SECONDS.toNanos(20))).isEqualTo(1);
    }

    assertThat(execution.advance(true)).isTrue();
    assertThat(execution.failure()).hasMessageContaining("on purpose");
    assertThatThrownBy(() ->
            thread.ask(
                "ask",
                () -> {
                  throw new InternalError("again");
                },
                Deadline.after(Duration.ofSeconds(20))))
        .isInstanceOf(VhostException.class)
        .hasMessage("ask: java.lang.InternalError: again");
  }

  /** All of the plan may have been done, and nothing surely was. */
  @Test
  void aLateIoctlIsLeftBehindWithItsThread() {
    Execution execution = stop(Deadline.after(Duration.ZERO));
    assertThat(execution.advance(true)).isFalse();

    assertThat(execution.advance(true)).isTrue();

    assertThat(execution.failure())
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("its thread is left behind");
    assertThat(execution.outcome().stepsSent()).isEqualTo(1);
    assertThat(execution.outcome().stepsTaken()).isZero();
    assertThat(thread.leftBehind()).isTrue();
    assertThat(kernelReturns.getCount()).as("the ioctl has not returned").isEqualTo(1);
  }
}
