package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.channel.LoopbackPair;
import io.github.jvhost.channel.Messages;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.vhost.plan.Why;
import io.github.jvhost.vhost.user.Flight;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Plans of two devices that one thread carries out, and a back end that does not read the socket of
 * one of them.
 *
 * <pre>
 *   plan of bases   one write, and more answers than a socket holds
 *   plan of kicks   more writes than a socket holds, each with a descriptor
 * </pre>
 */
class FlightsTest {
  private static final int STEPS = 1500;
  private static final BackEndCapabilities BACK_END = Configs.backEnd(BackEndProfile.GENERIC);

  private final Configs configs = new Configs();
  private LoopbackPair bases;
  private LoopbackPair kicks;

  @BeforeEach
  void connect() {
    bases = open("net0");
    kicks = open("net1");
  }

  private LoopbackPair open(String name) {
    LoopbackPair pair = LoopbackPair.open(name, Dialect.UPSTREAM, configs.ledger);
    pair.frontEnd().negotiated(BACK_END.protocolFeatures());
    return pair;
  }

  @AfterEach
  void nothingIsLeft() {
    bases.close();
    kicks.close();
    configs.close();
    assertThat(configs.ledger.describeOpen()).isEmpty();
  }

  private static Plan plan(IntFunction<Step> step) {
    List<PlannedStep> steps = new ArrayList<>();
    for (int i = 0; i < STEPS; i++) {
      steps.add(
          new PlannedStep(
              step.apply(i % 256), Answer.COLLECTED, "a ring", null, null, Why.CHANGED));
    }
    return new Plan(steps, BACK_END, Lifecycle.RUNNING, 0, Plan.End.BARRIER);
  }

  private static Flight begin(LoopbackPair pair, Plan plan, Deadline deadline) {
    return Flight.begin(pair.frontEnd(), plan, deadline, StoppedRings.AS_ANSWERED, _ -> {});
  }

  private Flight basesWithin(Deadline deadline) {
    return begin(bases, plan(ring -> new Step.Set<>(Fact.BASE, ring, 7)), deadline);
  }

  private Flight kicksWithin(Deadline deadline) {
    return begin(kicks, plan(ring -> new Step.Set<>(Fact.KICK, ring, configs.kick(0))), deadline);
  }

  /** Reads and answers a whole plan; returns how many descriptors came. */
  private static int answerAll(LoopbackPair pair) {
    int descriptors = 0;
    for (int i = 0; i <= STEPS; i++) { // the barrier too
      Received received = pair.backEnd().receive(Rig.soon());
      descriptors += received.descriptors().size();
      received.descriptors().forEach(OwnedDescriptor::close);
      int id = received.header().request();
      pair.backEnd().reply(id, Header.REPLY_FLAGS, new byte[8], List.of(), Rig.soon());
    }
    return descriptors;
  }

  private static <T> T done(FutureTask<T> task) throws Exception {
    return task.get(20, TimeUnit.SECONDS);
  }

  /** As DPDK does: while it waits until the answers of one device are read, it reads no other. */
  @Test
  void oneThreadOfABackEndMayServeBothAndWaitUntilItsAnswersAreRead() throws Exception {
    FutureTask<Integer> backEnd =
        StillBackEnd.elsewhere(() -> {
          answerAll(bases);
          return answerAll(kicks);
        });
    Flight first = basesWithin(Rig.soon());
    Flight second = kicksWithin(Rig.soon());

    Flights.run(List.of(first, second), Rig.soon());

    for (Flight flight : List.of(first, second)) {
      Outcome outcome = flight.outcome();
      assertThat(outcome.failure()).isNull();
      assertThat(outcome.stepsTaken()).isEqualTo(STEPS);
      assertThat(outcome.stepsSent()).isEqualTo(STEPS);
      assertThat(outcome.messages()).isEqualTo(STEPS + 1);
      assertThat(outcome.waits()).isEqualTo(1);
    }
    assertThat(done(backEnd)).as("each descriptor once").isEqualTo(STEPS);
  }

  /** It is sent its plan first, and the other one is done before its own deadline. */
  @Test
  void aDeviceThatIsNotReadDelaysNoOtherAndEndsAtItsOwnDeadline() throws Exception {
    FutureTask<Integer> backEnd = StillBackEnd.elsewhere(() -> answerAll(bases));
    Flight stuck = kicksWithin(Deadline.in(30, TimeUnit.MILLISECONDS));
    Flight other = basesWithin(Rig.soon());

    Flights.run(List.of(stuck, other), Rig.soon());

    assertThat(other.outcome().failure()).isNull();
    assertThat(done(backEnd)).isZero();
    assertThat(stuck.outcome().failure())
        .isInstanceOf(DeadlineException.class)
        .hasMessage("net1: sending SET_VRING_KICK: the back end did not read it within 30 ms");
    assertThat(kicks.frontEnd().poisoned()).isTrue();
    onlyWhatIsInTheSocketWasSent(stuck.outcome());
  }

  /** It has all the time that there is, and is given up when the other one is done. */
  @Test
  void whatWasGivenUpSaysWhatWasSent() throws Exception {
    FutureTask<Integer> backEnd = StillBackEnd.elsewhere(() -> answerAll(bases));
    Flight stuck = kicksWithin(Rig.soon());
    Flight other = basesWithin(Rig.soon());

    carryOut(stuck, other, () -> {}, true);

    assertThat(other.outcome().failure()).isNull();
    assertThat(done(backEnd)).isZero();
    assertThat(stuck.outcome().failure())
        .isInstanceOf(DeadlineException.class)
        .hasMessage(
            "1500 steps were to be sent, and the back end did not read all of them before it was"
                + " given up");
    assertThat(kicks.frontEnd().poisoned()).as("no message was cut in two").isFalse();
    onlyWhatIsInTheSocketWasSent(stuck.outcome());
  }

  @Test
  void aBackEndThatGoesWithoutReadingIsNoticed() throws Exception {
    FutureTask<Integer> backEnd = StillBackEnd.elsewhere(() -> answerAll(bases));
    Flight stuck = kicksWithin(Rig.soon());
    Flight other = basesWithin(Rig.soon());

    carryOut(stuck, other, () -> kicks.backEnd().close(), false);

    assertThat(other.outcome().failure()).isNull();
    assertThat(done(backEnd)).isZero();
    assertThat(stuck.outcome().failure()).isInstanceOf(BackEndGoneException.class);
    assertThat(stuck.outcome().stepsSent()).isBetween(1, STEPS - 1);
  }

  /** The bytes that a poll would report have been read already, so the plan has no time left. */
  @Test
  void aConnectionThatFailedBesideThePlanEndsItAtOnce() {
    Flight flight = basesWithin(Rig.soon());
    assertThat(flight.advance(false)).isFalse();
    assertThat(flight.nanosToDeadline(System.nanoTime())).isPositive();
    bases.backEnd().writeRaw(new byte[Header.SIZE], List.of(), Rig.soon());
    assertThat(bases.frontEnd().receiveAvailable()).as("it is poisoned").isTrue();

    assertThat(flight.nanosToDeadline(System.nanoTime())).isZero();
    Flights.run(List.of(flight), Rig.soon());

    assertThat(flight.outcome().failure()).isInstanceOf(ProtocolException.class);
  }

  /** It would be taken for the barrier's: the guest would run before the back end is ready. */
  @Test
  void whatHasComeBeforeAPlanIsNoAnswerToIt() throws Exception {
    FutureTask<Integer> backEnd = StillBackEnd.elsewhere(() -> answerAll(bases));
    kicks.backEnd().reply(2, Header.REPLY_FLAGS, new byte[8], List.of(), Rig.soon());
    Flight early = kicksWithin(Rig.soon());
    Flight other = basesWithin(Rig.soon());

    try (var flights = new Flights(2)) {
      flights.watchAhead(0, kicks.frontEnd().number(), -1);
      flights.watchAhead(1, bases.frontEnd().number(), -1);
      flights.take(0, early);
      flights.take(1, other);
      flights.run(Rig.soon(), null);
    }

    assertThat(early.outcome().failure()).isInstanceOf(ProtocolException.class);
    assertThat(early.outcome().stepsSent()).isZero();
    assertThat(other.outcome().failure()).isNull();
    assertThat(done(backEnd)).isZero();
  }

  /** Of such a plan the back end knows nothing, and the connection can be used as before. */
  @Test
  void aPlanForWhichThereWasNoRoomAtAllWasNotSent() {
    int before = fill(kicks.frontEnd());
    Flight stuck = kicksWithin(Rig.soon());

    assertThat(stuck.advance(false)).isFalse();
    assertThat(stuck.waitsForRoom()).isTrue();
    stuck.abandon(new DeadlineException("it is not wanted any more"));

    assertThat(stuck.outcome().stepsSent()).isZero();
    assertThat(stuck.outcome().messages()).isZero();
    assertThat(stuck.waitsForRoom()).isFalse();
    assertThat(kicks.frontEnd().outstandingReplies()).isZero();
    assertThat(readAll(kicks)).as("messages in the socket").isEqualTo(before);
    kicks.frontEnd().sendUncollected(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE);
    assertThat(kicks.backEnd().receive(Rig.soon()).header().request()).isEqualTo(3);
  }

  /** Fills the socket; returns with how many messages. */
  private int fill(VhostUserChannel channel) {
    Messages messages = channel.messages();
    RingEventfd.Fd kick = (RingEventfd.Fd) configs.kick(0);
    for (int i = 0; i < STEPS; i++) {
      messages.add(
          FrontEndRequest.SET_VRING_KICK,
          new VringDescriptor(i % 256, false),
          List.of(kick.descriptor()),
          false);
    }
    assertThat(channel.send(messages, false)).isFalse();
    channel.giveUp(messages, new DeadlineException("the test has what it wants"));
    assertThat(channel.poisoned()).isFalse();
    return messages.begun();
  }

  /**
   * Carries out both plans.
   *
   * @param whenDone runs when the other one is finished
   * @param giveUp whether the first one is given up then
   */
  private static void carryOut(Flight stuck, Flight other, Runnable whenDone, boolean giveUp) {
    try (var flights = new Flights(2)) {
      flights.take(0, stuck);
      flights.take(1, other);
      flights.run(
          Rig.soon(),
          () -> {
            boolean finished = other.advance(false);
            if (finished) {
              whenDone.run();
            }
            return finished && giveUp;
          });
    }
  }

  private void onlyWhatIsInTheSocketWasSent(Outcome outcome) {
    assertThat(outcome.stepsSent()).isBetween(1, STEPS - 1);
    assertThat(outcome.stepsTaken()).isZero();
    assertThat(outcome.messages()).isEqualTo(outcome.stepsSent());
    assertThat(kicks.frontEnd().outstandingReplies()).isEqualTo(outcome.stepsSent());
    assertThat(readAll(kicks)).as("messages in the socket").isEqualTo(outcome.stepsSent());
  }

  /** Reads what is in the socket; returns how many kicks, each of which came with a descriptor. */
  private static int readAll(LoopbackPair pair) {
    int count = 0;
    while (true) {
      Received received;
      try {
        received = pair.backEnd().receive(Deadline.in(0, TimeUnit.MILLISECONDS));
      } catch (DeadlineException e) {
        return count;
      }
      assertThat(received.descriptors()).hasSize(1);
      received.descriptors().forEach(OwnedDescriptor::close);
      count++;
    }
  }
}
