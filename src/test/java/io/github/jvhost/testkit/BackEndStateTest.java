package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.FEATURES;
import static io.github.jvhost.testkit.ToldState.RAM;
import static io.github.jvhost.testkit.ToldState.place;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.EnumSource.Mode.EXCLUDE;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What all personalities have in common, and the rules that they watch over. */
class BackEndStateTest {
  @ParameterizedTest
  @EnumSource(Personality.class)
  void aCompleteStartRunsBothRingsFromTheirBases(Personality personality) {
    ToldState told = ToldState.of(personality).negotiated();
    told.usedInMemory[0] = 1000;
    told.usedInMemory[1] = 1001;
    told.ring(0, 1000).ring(1, 1001);
    driverOk(told);

    assertThat(told.started(0)).isTrue();
    assertThat(told.started(1)).isTrue();
    assertThat(told.started(2)).isFalse();
    assertThat(told.baseOf(0)).isEqualTo(1000);
    assertThat(told.baseOf(1)).isEqualTo(1001);
    assertThat(told.state.ring(1).nextUsed()).isEqualTo(1001);
    assertThat(told.breaches()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void everyRingStopsAndAnswersItsBase(Personality personality) {
    ToldState told = running(personality);

    assertThat(told.stop(0)).isEqualTo(1000);
    assertThat(told.stop(1)).isEqualTo(1001);

    assertThat(told.state.isAnyStarted()).isFalse();
    assertThat(told.state.ring(0).kickTold()).isFalse();
    assertThat(told.breaches()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aStoppedDeviceRunsAgainWhenEverythingIsToldAgain(Personality personality) {
    ToldState told = running(personality);
    told.stop(0);
    told.stop(1);

    told.ring(0, 1000).ring(1, 1001);
    driverOk(told);

    assertThat(told.started(0)).isTrue();
    assertThat(told.started(1)).isTrue();
    assertThat(told.baseOf(0)).isEqualTo(1000);
    assertThat(told.breaches()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void whatMustNotBeToldToAStartedRingIsWrittenDown(Personality personality) {
    ToldState told = running(personality);

    told.size(0).base(0, 1000).address(0).kick(0);

    assertThat(told.breaches())
        .containsExactly(
            Rule.SIZE_WHILE_STARTED,
            Rule.BASE_WHILE_STARTED,
            Rule.ADDRESS_WHILE_STARTED,
            Rule.KICK_WHILE_STARTED);
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void loggingMayBeSwitchedOnAStartedRing(Personality personality) {
    ToldState told = running(personality);

    told.features(FEATURES | VhostFeature.LOG_ALL);
    told.done(FrontEndRequest.SET_VRING_ADDR, place(0, VringAddress.LOG), 0)
        .call(0)
        .enable(0, true);

    assertThat(told.started(0)).isTrue();
    assertThat(told.breaches()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void otherFeaturesMayNotChangeOnAStartedRing(Personality personality) {
    ToldState told = running(personality);

    told.tell(FrontEndRequest.SET_FEATURES, new U64(FEATURES & ~NetFeature.MRG_RXBUF.mask()), 0);

    assertThat(told.breaches()).containsExactly(Rule.FEATURES_WHILE_STARTED);
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      mode = EXCLUDE,
      names = {"LIBVHOST_USER", "RUST_VMM", "CROSVM", "VPP"})
  void aResetComesAfterTheLastBase(Personality personality) {
    ToldState told = running(personality);

    told.status(0);

    assertThat(told.breaches()).containsExactly(Rule.RESET_WHILE_STARTED);
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aRingThatStartsOnIncompleteMemoryIsWrittenDown(Personality personality) {
    ToldState told = ToldState.of(personality).negotiated();
    told.state.guestMemoryComplete(false);
    told.ring(0, 0).ring(1, 0);
    driverOk(told);

    assertThat(told.breaches())
        .containsExactly(Rule.STARTED_ON_INCOMPLETE_MEMORY, Rule.STARTED_ON_INCOMPLETE_MEMORY);
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aDisabledRingIsNeverInHardware(Personality personality) {
    ToldState told =
        ToldState.of(personality).negotiated().ring(0, 0).ring(1, 0).ring(2, 0).ring(3, 0);
    driverOk(told);

    Outcome outcome = told.tell(FrontEndRequest.SET_VRING_ENABLE, new VringState(2, 0), 0);

    assertThat(outcome.effects())
        .filteredOn(e -> e instanceof Effect.Configured)
        .singleElement()
        .satisfies(e ->
            assertThat(((Effect.Configured) e).image().rings())
                .extracting(HardwareImage.Ring::ring)
                .containsExactly(0, 1, 3));
  }

  @Test
  void aStartedButDisabledRingStaysStarted() {
    ToldState told = running(Personality.GENERIC);

    told.enable(1, false);

    assertThat(told.started(1)).isTrue();
    assertThat(told.state.ring(1).enabled()).isFalse();
  }

  @Test
  void messagesThatWereNotNegotiatedAreRefusedAndWrittenDown() {
    ToldState told = ToldState.of(Personality.GENERIC);

    assertThat(told.tell(FrontEndRequest.NET_SET_MTU, new U64(1500), 0).verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
    assertThat(told.tell(FrontEndRequest.PRESETUP, new U64(1), 0).verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
    assertThat(
            told.tell(FrontEndRequest.SET_FEATURES, new U64(NetFeature.RING_PACKED.mask()), 0)
                .verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
    assertThat(told.breaches()).containsOnly(Rule.NOT_NEGOTIATED).hasSize(3);
  }

  @Test
  void nonsenseIsRefusedWithoutAnEffect() {
    ToldState told = ToldState.of(Personality.GENERIC).negotiated();

    assertFailed(told, FrontEndRequest.SET_VRING_NUM, new VringState(0, 300), 0);
    assertFailed(told, FrontEndRequest.SET_VRING_NUM, new VringState(0, 0), 0);
    assertFailed(told, FrontEndRequest.SET_VRING_NUM, new VringState(99, 256), 0);
    assertFailed(told, FrontEndRequest.SET_VRING_BASE, new VringState(0, 65536), 0);
    assertFailed(told, FrontEndRequest.SET_VRING_ENABLE, new VringState(0, 2), 0);
    assertFailed(told, FrontEndRequest.SET_VRING_KICK, new VringDescriptor(0, true), 1);
    assertFailed(told, FrontEndRequest.SET_VRING_KICK, new VringDescriptor(0, false), 0);
    assertFailed(told, FrontEndRequest.SET_VRING_ADDR, new VringAddress(0, 0, 1, 2, 3, 4), 0);
    assertFailed(told, FrontEndRequest.NET_SET_MTU, new U64(67), 0);
    assertFailed(told, FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM)), 0);
    assertFailed(told, FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM, RAM)), 2);
    assertFailed(told, FrontEndRequest.SET_STATUS, new U64(256), 0);

    assertThat(told.state.ring(0))
        .isEqualTo(new RingView(0, 0, 0, 0, null, false, false, false, false));
    assertThat(told.state.memory()).containsExactly(RAM);
  }

  @Test
  void memorySlotsComeAndGo() {
    MemoryRegionPayload more =
        new MemoryRegionPayload(1L << 32, 4096, ToldState.USER + (1L << 32), 8192);
    ToldState told =
        new ToldState(
                BackEndOffer.of(Personality.GENERIC).with(ProtocolFeature.CONFIGURE_MEM_SLOTS))
            .negotiated();

    Outcome added = told.tell(FrontEndRequest.ADD_MEM_REG, new SingleRegion(more), 1);
    assertFailed(told, FrontEndRequest.ADD_MEM_REG, new SingleRegion(more), 1);
    // Found by place and size: where it lay in its file does not matter.
    MemoryRegionPayload same =
        new MemoryRegionPayload(more.guestAddress(), 4096, more.userAddress(), 0);
    Outcome removed = told.tell(FrontEndRequest.REM_MEM_REG, new SingleRegion(same), 0);
    assertFailed(told, FrontEndRequest.REM_MEM_REG, new SingleRegion(same), 0);

    assertThat(added.effects()).containsExactly(new Effect.RegionAdded(more));
    assertThat(removed.effects()).containsExactly(new Effect.RegionRemoved(more));
    assertThat(told.tell(FrontEndRequest.GET_MAX_MEM_SLOTS, NoPayload.INSTANCE, 0).answer())
        .isEqualTo(new U64(told.state.offer().memorySlots()));
  }

  @Test
  void memoryThatGoesTakesTheRingAlong() {
    ToldState told = running(Personality.GENERIC);
    MemoryRegionPayload elsewhere = new MemoryRegionPayload(0, 1 << 24, 0x1000, 0);

    told.done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(elsewhere)), 1);

    assertThat(told.state.isAnyStarted()).isFalse();
  }

  @Test
  void questionsAreAnswered() {
    ToldState told = ToldState.of(Personality.GENERIC).negotiated();
    told.status(8);

    assertThat(told.tell(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE, 0).answer())
        .isEqualTo(new U64(8));
    assertThat(told.tell(FrontEndRequest.GET_QUEUE_NUM, NoPayload.INSTANCE, 0).answer())
        .isEqualTo(new U64(2));
    assertThat(told.tell(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, 0).answer())
        .isEqualTo(new U64(BackEndOffer.DEFAULT_FEATURES));
  }

  private static void assertFailed(
      ToldState told, FrontEndRequest request, Payload payload, int descriptors) {
    Outcome outcome = told.tell(request, payload, descriptors);
    assertThat(outcome.verdict()).as("%s %s", request, payload).isEqualTo(Outcome.Verdict.FAILED);
    assertThat(outcome.reason()).isNotBlank();
    assertThat(outcome.effects()).isEmpty();
  }

  static ToldState running(Personality personality) {
    ToldState told = ToldState.of(personality).negotiated();
    told.usedInMemory[0] = 1000;
    told.usedInMemory[1] = 1001;
    told.ring(0, 1000).ring(1, 1001);
    driverOk(told);
    return told;
  }

  static void driverOk(ToldState told) {
    if (told.state.offer().personality().offersStatus()) {
      told.status(0xf);
    }
  }
}
