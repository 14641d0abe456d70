package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.ReceiveMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** When a device's control queue is served, and what its driver and its back end hear of that. */
class ControlQueueServiceTest {
  @TempDir private Path dir;

  private final AtomicInteger interrupts = new AtomicInteger();
  private Rig rig;

  @BeforeEach
  void aDeviceThatRuns() {
    rig = new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
    rig.driveAll();
    rig.net().start();
    rig.net()
        .model()
        .onChange(change -> {
          if (change == DeviceChange.CONTROL_USED) {
            interrupts.incrementAndGet();
          }
        });
  }

  @AfterEach
  void close() {
    rig.noRuleWasBroken();
    rig.close();
  }

  private void theCommandWasCarriedOut() {
    assertThat(rig.answer()).isZero();
    assertThat(rig.commandsUsed()).isEqualTo(1);
    assertThat(interrupts).hasValue(1);
    assertThat(rig.net().model().currentQueuePairs()).isEqualTo(2);
    assertThat(rig.backEnd().ring(2).orElseThrow().enabled()).isTrue();
  }

  @Test
  void aCommandThatWaitedWhileTheDeviceWasStoppedIsServedAtTheStart() {
    rig.net().stop();
    rig.wantQueuePairs(2);

    rig.net().start();

    theCommandWasCarriedOut();
  }

  @Test
  void devicesThatStartTogetherServeWhatWaited() {
    VhostNetGroup.stop(List.of(rig.net()), StartOrder.PLANNED);
    rig.wantQueuePairs(2);

    VhostNetGroup.start(List.of(rig.net()), StartOrder.PLANNED);

    theCommandWasCarriedOut();
  }

  @Test
  void aSourceThatGoesOnServesWhatWaited() {
    VhostNetGroup.stop(List.of(rig.net()), StartOrder.PLANNED);
    rig.wantQueuePairs(2);

    rig.net().migration().runOn();

    theCommandWasCarriedOut();
  }

  @Test
  void aDeviceThatWasRestoredServesWhatWaited() {
    rig.net().stop();
    rig.wantQueuePairs(2);
    rig.net().restore(rig.net().snapshot());

    rig.net().start();

    theCommandWasCarriedOut();
  }

  @Test
  void aDeviceWhoseLinkIsDownServesItsControlQueueAllTheSame() {
    rig.net().linkUp(false);
    rig.wantQueuePairs(2);

    rig.net().start();

    assertThat(rig.net().running()).isFalse();
    assertThat(rig.answer()).isZero();
    assertThat(interrupts).hasValue(1);
    rig.net().linkUp(true);
    theCommandWasCarriedOut();
  }

  /** It cannot be told more memory than it takes, and knows nothing of filters. */
  @Test
  void aFilterIsNoneOfTheBackEndsBusiness() {
    for (int i = 0; i < 8; i++) {
      rig.memory.addRegion("more " + i, (16L + i) << 30, 4096);
    }
    assertThatThrownBy(() -> rig.net().refresh()).hasMessageContaining("the back end takes 8");

    rig.want(new ControlCommand.Receive(ReceiveMode.PROMISCUOUS, false));
    rig.net().serviceControlQueue();

    assertThat(rig.answer()).isZero();
    assertThat(rig.net().model().controlState().filters().promiscuous()).isFalse();
    assertThat(rig.net().running()).isTrue();
    assertThat(rig.net().model().linkUp()).isTrue();
  }

  static Stream<Arguments> failures() {
    BackEndOffer acknowledges = BackEndOffer.of(Personality.GENERIC);
    BackEndOffer plain = acknowledges.without(ProtocolFeature.REPLY_ACK);
    return Stream.of(
        Arguments.of(acknowledges, new Wrong.Refuse()),
        Arguments.of(acknowledges, new Wrong.HangUpBefore()),
        Arguments.of(acknowledges, new Wrong.NeverAnswers()),
        Arguments.of(plain, new Wrong.HangUpBefore()),
        Arguments.of(plain, new Wrong.NeverAnswers()));
  }

  /** Without REPLY_ACK a hang-up is the refusal; and what took it down once would do so again. */
  @ParameterizedTest
  @MethodSource("failures")
  void aBackEndThatDoesNotTakeMoreQueuePairsMakesItAnErrorForTheDriver(
      BackEndOffer offer, Wrong wrong) {
    rig.close();
    rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
    // One for each ring as the device starts; the next is for a ring of the second pair.
    rig.addBackEnd(Faults.none().at(FrontEndRequest.SET_VRING_ENABLE, Rig.RINGS + 1, wrong));
    rig.nets.add(rig.connect(0, Duration.ofSeconds(1)));
    rig.driveAll();
    rig.net().start();
    rig.wantQueuePairs(2);

    assertThat(rig.net().serviceControlQueue()).isEqualTo(1);

    assertThat(rig.answer()).isEqualTo((byte) 1);
    assertThat(rig.commandsUsed()).isEqualTo(1);
    assertThat(rig.net().model().currentQueuePairs()).isEqualTo(1);
    assertThat(rig.net().model().linkUp()).as("what it holds now is not known").isFalse();
    rig.net().reconnect().orThrow();
    assertThat(rig.backEnd().isRunning()).isTrue();
    assertThat(rig.backEnd().ring(0).orElseThrow().enabled()).isTrue();
    assertThat(rig.backEnd().ring(2).orElseThrow().enabled()).isFalse();
  }

  @Test
  void aListenerThatThrowsLeavesNoCommandHalfDone() {
    List<String> others = new ArrayList<>();
    rig.net()
        .model()
        .onChange(change -> {
          if (change == DeviceChange.QUEUE_PAIRS) {
            throw new IllegalStateException("an embedder's mistake");
          }
        });
    rig.net().model().onChange(change -> others.add(change.name()));
    rig.wantQueuePairs(2);

    assertThat(rig.net().serviceControlQueue()).isEqualTo(1);

    theCommandWasCarriedOut();
    assertThat(others).contains("QUEUE_PAIRS", "CONTROL_USED");
    assertThat(rig.net().running()).isTrue();
    assertThat(rig.net().serviceControlQueue()).as("there is nothing to be done again").isZero();
  }
}
