package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.FEATURES;
import static io.github.jvhost.testkit.ToldState.RAM;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each personality against what its original was seen to do, cell by cell of the table of known
 * back ends.
 */
class PersonalityTest {
  @Test
  void dpdkHoldsItsRingsUntilDriverOk() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated().ring(0, 0).ring(1, 0);

    assertThat(told.state.isAnyStarted()).isFalse();
    Outcome outcome = told.tell(FrontEndRequest.SET_STATUS, new U64(0xf), 0);

    assertThat(outcome.effects().subList(0, 2))
        .containsExactly(new Effect.RingStarted(0), new Effect.RingStarted(1));
    assertThat(outcome.effects().getLast())
        .isInstanceOfSatisfying(
            Effect.Configured.class,
            c -> assertThat(c.beforeAnswer()).as("the ack comes first").isFalse());
  }

  @Test
  void dpdkWithoutStatusGoesLiveWhenBothRingsAreReady() {
    ToldState told =
        new ToldState(BackEndOffer.of(Personality.DPDK).without(ProtocolFeature.STATUS))
            .negotiated();

    told.ring(0, 0);
    assertThat(told.state.isAnyStarted()).isFalse();
    told.ring(1, 0);

    assertThat(told.started(0)).isTrue();
    assertThat(told.started(1)).isTrue();
  }

  @Test
  void dpdkTakesTheUsedIndexAtKickAndOverwritesTheBase() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated();
    told.usedInMemory[0] = 1000;

    told.size(0).base(0, 7).address(0);
    assertThat(told.reads).isEmpty();
    told.kick(0);

    assertThat(told.reads).containsExactly(0);
    assertThat(told.baseOf(0)).isEqualTo(1000);
    assertThat(told.state.ring(0).nextUsed()).isEqualTo(1000);
  }

  @Test
  void dpdkTranslatesAnEnabledRingAtOnce() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated();

    told.size(0).enable(0, true).address(0);

    assertThat(told.reads).containsExactly(0);
  }

  @Test
  void dpdkKeepsABaseThatComesAfterTheKick() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated();
    for (int i = 0; i < 2; i++) {
      told.size(i).address(i).call(i).kick(i).enable(i, true);
    }

    told.base(0, 1000).base(1, 1001).status(0xf);

    assertThat(told.baseOf(0)).isEqualTo(1000);
    assertThat(told.state.ring(1).nextUsed()).isEqualTo(1001);
    assertThat(told.started(1)).isTrue();
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void dpdkStopsTheWholeDeviceAndForgetsThatRing() {
    ToldState told = BackEndStateTest.running(Personality.DPDK);

    told.stop(0);

    assertThat(told.started(1)).isFalse();
    RingView stopped = told.state.ring(0);
    assertThat(stopped.address()).isNull();
    assertThat(stopped.kickTold()).isFalse();
    assertThat(stopped.callTold()).isFalse();
    assertThat(stopped.size()).isZero();
    assertThat(stopped.enabled()).isTrue();
    assertThat(told.state.ring(1).kickTold()).isTrue();
    assertThat(told.state.status()).isEqualTo(0xf);
  }

  @Test
  void dpdkTakesAnEqualMemoryTableForFree() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated();

    Outcome outcome =
        told.tell(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM)), 1);

    assertThat(outcome.effects()).isEmpty();
  }

  @Test
  void libvhostUserMapsAnEqualMemoryTableAgain() {
    ToldState told = ToldState.of(Personality.LIBVHOST_USER).negotiated();

    Outcome outcome =
        told.tell(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM)), 1);

    assertThat(outcome.effects()).containsExactly(new Effect.MemoryReplaced(List.of(RAM), false));
  }

  @Test
  void dpdkRefusesAddressesBeforeMemoryAndToleratesStrayOnes() {
    ToldState told = ToldState.of(Personality.DPDK);
    told.features(FEATURES);

    assertThat(told.tell(FrontEndRequest.SET_VRING_ADDR, ToldState.place(0, 0), 0).verdict())
        .isEqualTo(Outcome.Verdict.FAILED);

    told.negotiated().size(0);
    told.done(FrontEndRequest.SET_VRING_ADDR, new VringAddress(0, 0, 1, 2, 4, 0), 0);
    told.call(0).enable(0, true).kick(0).ring(1, 0).status(0xf);
    assertThat(told.state.isAnyStarted()).isFalse();
  }

  @Test
  void dpdkDropsFurtherPairsWithoutMq() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated().ring(2, 5);

    told.features(FEATURES & ~NetFeature.MQ.mask());

    assertThat(told.state.ring(2))
        .isEqualTo(new RingView(2, 0, 0, 0, null, false, false, false, false));
  }

  @Test
  void dpdkEnablesAtTheKickWithoutBit30() {
    ToldState told = ToldState.of(Personality.DPDK).negotiated();
    told.features(FEATURES & ~VhostFeature.PROTOCOL_FEATURES);
    assertThat(told.state.ring(0).enabled()).isFalse();

    told.kick(0);

    assertThat(told.state.ring(0).enabled()).isTrue();
    assertThat(told.state.ring(1).enabled()).isFalse();
  }

  @Test
  void othersEnableAllRingsWithoutBit30() {
    for (Personality personality :
        List.of(
            Personality.GENERIC,
            Personality.LIBVHOST_USER,
            Personality.RUST_VMM,
            Personality.CROSVM,
            Personality.VPP)) {
      ToldState told = ToldState.of(personality).negotiated();
      told.features(FEATURES & ~VhostFeature.PROTOCOL_FEATURES);

      assertThat(told.state.ring(3).enabled()).as("%s", personality).isTrue();
    }
  }

  @Test
  void onlyLibvhostUserRefusesLegacyDrivers() {
    for (Personality personality : Personality.values()) {
      Outcome outcome =
          ToldState.of(personality)
              .tell(FrontEndRequest.SET_FEATURES, new U64(VhostFeature.PROTOCOL_FEATURES), 0);

      assertThat(outcome.verdict())
          .as("%s", personality)
          .isEqualTo(
              personality == Personality.LIBVHOST_USER
                  ? Outcome.Verdict.FAILED
                  : Outcome.Verdict.DONE);
    }
  }

  @Test
  void libvhostUserReadsTheUsedIndexAtTheAddress() {
    ToldState told = ToldState.of(Personality.LIBVHOST_USER).negotiated();
    told.usedInMemory[0] = 1000;

    told.size(0).base(0, 7).address(0);

    assertThat(told.reads).containsExactly(0);
    assertThat(told.baseOf(0)).isEqualTo(1000);
  }

  @Test
  void libvhostUserMovesTheBaseEvenWhereTheUsedIndexIsTheOldOne() {
    ToldState told = ToldState.of(Personality.LIBVHOST_USER).negotiated();

    told.size(0).base(0, 7).address(0);

    assertThat(told.baseOf(0)).isZero();
  }

  @Test
  void libvhostUserKeepsABaseThatComesAfterTheAddress() {
    ToldState told = ToldState.of(Personality.LIBVHOST_USER).negotiated();

    told.size(0).address(0).base(0, 7);

    assertThat(told.baseOf(0)).isEqualTo(7);
    assertThat(told.state.ring(0).nextUsed()).isZero();
  }

  @Test
  void libvhostUserStartsAtAnyKick() {
    ToldState told = ToldState.of(Personality.LIBVHOST_USER).negotiated();

    told.size(0).address(0).kickWithout(0);

    assertThat(told.started(0)).isTrue();
  }

  @Test
  void libvhostUserSignalsANewCallAtOnce() {
    ToldState told = ToldState.of(Personality.LIBVHOST_USER).negotiated();

    assertThat(
            told.tell(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(1, false), 1).effects())
        .containsExactly(new Effect.CallSignalled(1));
    assertThat(
            ToldState.of(Personality.DPDK)
                .tell(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(1, false), 1)
                .effects())
        .isEmpty();
  }

  @Test
  void libvhostUserStopsOnlyThatRing() {
    ToldState told = BackEndStateTest.running(Personality.LIBVHOST_USER);

    told.stop(0);

    assertThat(told.started(1)).isTrue();
    assertThat(told.state.ring(0).callTold()).isFalse();
    assertThat(told.state.ring(0).address()).isNotNull();
  }

  @Test
  void rustVmmLeavesTheBaseAlone() {
    ToldState told = ToldState.of(Personality.RUST_VMM).negotiated();
    told.usedInMemory[0] = 1000;

    told.size(0).base(0, 7).address(0);

    assertThat(told.baseOf(0)).isEqualTo(7);
    assertThat(told.state.ring(0).nextUsed()).isEqualTo(1000);
  }

  @Test
  void rustVmmWantsAKickDescriptorAndEnable() {
    ToldState told = ToldState.of(Personality.RUST_VMM).negotiated().size(0).address(0);

    told.kickWithout(0).enable(0, true);
    assertThat(told.started(0)).isFalse();
    told.enable(0, false).kick(0);
    assertThat(told.started(0)).isFalse();
    told.enable(0, true);

    assertThat(told.started(0)).isTrue();
  }

  @Test
  void genericReadsTheUsedIndexWhenTheRingStarts() {
    ToldState told = ToldState.of(Personality.GENERIC).negotiated();
    told.usedInMemory[0] = 999;

    told.size(0).base(0, 1000).address(0);
    assertThat(told.reads).isEmpty();
    told.kick(0);

    assertThat(told.baseOf(0)).isEqualTo(1000);
    assertThat(told.state.ring(0).nextUsed()).isEqualTo(999);
    assertThat(told.started(0)).isTrue();
  }

  @Test
  void unknownMessagesCostTheConnectionOrNot() {
    assertThat(ToldState.of(Personality.DPDK).state.unknown("request 77").verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
    assertThat(ToldState.of(Personality.LIBVHOST_USER).state.unknown("request 77").verdict())
        .isEqualTo(Outcome.Verdict.HUNG_UP);
    assertThat(
            ToldState.withPresetup(Personality.RUST_VMM)
                .tell(FrontEndRequest.PRESETUP, new U64(1), 0)
                .verdict())
        .isEqualTo(Outcome.Verdict.HUNG_UP);
  }

  @Test
  void vfeForgetsDriverOkAndItsHardware() {
    ToldState told = BackEndStateTest.running(Personality.VFE);

    Outcome outcome = told.tell(FrontEndRequest.GET_VRING_BASE, new VringState(1, 0), 0);

    assertThat(told.state.status()).isEqualTo(0xb);
    assertThat(told.state.isAnyStarted()).isFalse();
    assertThat(outcome.effects()).contains(new Effect.HardwareForgotten());
  }

  @Test
  void crosvmGivesARingBackAsItWasBeforeAnythingWasToldOfIt() {
    ToldState told = BackEndStateTest.running(Personality.CROSVM).base(2, 7);
    RingView untold = ToldState.of(Personality.CROSVM).negotiated().state.ring(1);

    told.stop(1);

    assertThat(told.state.ring(1)).isEqualTo(untold);
    assertThat(untold.enabled()).isFalse();
    assertThat(told.started(0)).as("one ring stops alone").isTrue();
  }

  @Test
  void crosvmTakesTheBaseAsItIsTold() {
    ToldState told = ToldState.of(Personality.CROSVM).negotiated();
    told.usedInMemory[0] = 1000;

    told.ring(0, 7);

    assertThat(told.reads).isEmpty();
    assertThat(told.state.ring(0).nextUsed()).isEqualTo(7);
    assertThat(told.stop(0)).isEqualTo(7);
    assertThat(told.stop(0)).as("of a ring that does not run").isZero();
  }

  @Test
  void crosvmStartsARingAtItsKickAndNeedsItsCallBefore() {
    ToldState told = ToldState.of(Personality.CROSVM).negotiated().size(0).address(0);

    assertThat(told.tell(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(0, false), 1).reason())
        .isEqualTo("the kick of ring 0 before its call");
    told.call(0);
    assertThat(told.tell(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(0, true), 0).reason())
        .isEqualTo("SET_VRING_KICK without a descriptor");
    told.kick(0);

    assertThat(told.started(0)).isTrue();
  }

  @Test
  void vppWipesARingAndOnlyTheFirstTwoAreEnabledAgain() {
    ToldState told = BackEndStateTest.running(Personality.VPP).ring(2, 0).ring(3, 0);

    for (int ring = 0; ring < 4; ring++) {
      told.stop(ring);
      RingView stopped = told.state.ring(ring);
      assertThat(stopped.size()).isZero();
      assertThat(stopped.address()).isNull();
      assertThat(stopped.callTold()).isFalse();
      assertThat(stopped.enabled()).isEqualTo(ring < 2);
    }
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void vppTakesTheUsedIndexAtTheAddressForBoth() {
    ToldState told = ToldState.of(Personality.VPP).negotiated();
    told.usedInMemory[0] = 1000;

    told.size(0).base(0, 7).address(0);

    assertThat(told.baseOf(0)).isEqualTo(1000);
    assertThat(told.state.ring(0).nextUsed()).isEqualTo(1000);
  }

  /** On real ones it runs with a size of 1 or 32768, or the switch crashes at its first packet. */
  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"DPDK", "VFE", "CROSVM", "VPP"})
  void aRingWhoseSizeWasForgottenAndNotToldAgainIsABrokenRule(Personality personality) {
    BackEndOffer offer = BackEndOffer.of(personality).without(ProtocolFeature.STATUS);
    ToldState told = new ToldState(offer).negotiated().ring(0, 0).ring(1, 0);
    told.stop(0);

    told.base(0, 0).address(0).call(0).enable(0, true).kick(0);

    assertThat(told.breaches()).containsExactly(RuleBreach.Rule.STARTED_WITHOUT_SIZE);
    assertThat(told.state.violations().getFirst().what()).contains("ring 0", "forgotten");
    assertThat(told.started(0)).isFalse();
    told.size(0);
    assertThat(told.breaches()).as("noted once").hasSize(1);
    assertThat(told.started(0)).isTrue();
  }

  @Test
  void othersKeepTheSizeOverAStop() {
    for (Personality personality :
        List.of(Personality.GENERIC, Personality.LIBVHOST_USER, Personality.RUST_VMM)) {
      ToldState told = BackEndStateTest.running(personality);

      told.stop(0);

      assertThat(told.state.ring(0).size()).as("%s", personality).isEqualTo(256);
      assertThat(told.state.ring(0).enabled()).as("%s", personality).isTrue();
    }
  }
}
