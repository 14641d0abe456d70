package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RuleBreach.Rule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an invalidation does to a burst of the mock back end. */
class MockInvalidationTest extends MockIotlbRig {
  // Invalidations.

  @Test
  void aFlushOfAllKillsTheReceiveRingUntilItIsToldAgain() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    buffers(0, 8);
    buffers(1, 8);
    guest.startRings();
    assertThat(exchange(2)).isZero();

    told(new Iotlb(0, -1, 0, 0, Iotlb.INVALIDATE));
    for (int i = 0; i < 3; i++) {
      answer(nextMiss());
    }
    guest.send(TestFrontEnd.frame(5, 60));
    answer(nextMiss());
    assertThat(next()).as("the transmit ring came back").isEqualTo(TestFrontEnd.frame(5, 60));
    lose(FrameDrop.RX_STOPPED);

    areas(0);
    buffers(0, 8);
    guest.post(0, 2, TestFrontEnd.buffer(0, 2), 2048);
    peer.transmit(TestFrontEnd.frame(9, 100));
    assertThat(guest.called(0)).isTrue();
    assertThat(guest.usedIndex(0)).isEqualTo(3);
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(
      value = FrontEndRequest.class,
      names = {"SET_VRING_ENABLE", "SET_OWNER"})
  void aMessageThatTakesTheLockWaitsForTheBurst(FrontEndRequest barrier) throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));
    assertThat(guest.usedIndex(0)).as("held up").isZero();

    guest.ok(barrier, payload(barrier));

    assertThat(guest.usedIndex(0)).isEqualTo(1);
    assertThat(guest.received(0, 12, 100)).isEqualTo(TestFrontEnd.frame(1, 100));
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @Test
  void theLockOfAnotherRingIsNoBarrier() throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));

    guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(1, 1));

    assertThat(guest.usedIndex(0)).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void withoutABarrierAPageIsWrittenAfterItsInvalidation(boolean otherMessages) throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));
    if (otherMessages) {
      told(invalidate(TestFrontEnd.buffer(0, 0)));
      guest.ask(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE);
    }

    told(update(page(bufferPage(0, 1)), PAGE, bufferPage(0, 1), RW));

    assertThat(backEnd.record().await(r -> !r.violations().isEmpty(), TestFrontEnd.soon()))
        .isTrue();
    assertThat(backEnd.record().violations())
        .extracting(RuleBreach::rule)
        .containsExactly(Rule.USED_AFTER_INVALIDATION);
    assertThat(guest.received(0, 12, 100)).isEqualTo(TestFrontEnd.frame(1, 100));
  }

  @Test
  void aBurstThatIsHeldUpMayUseWhatIsToldAgain() throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));
    buffers(0, 1);

    assertThat(guest.called(0)).isTrue();
    assertThat(backEnd.record().violations()).isEmpty();
  }
}
