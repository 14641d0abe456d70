package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What back ends make of the base of a packed ring, and of its size and addresses. */
class PackedBaseTest {
  private static final long PACKED = ToldState.FEATURES | NetFeature.RING_PACKED.mask();

  private static ToldState told(Personality personality) {
    BackEndOffer offer = BackEndOffer.of(personality).withQueuePairs(2);
    return new ToldState(offer.withFeatures(offer.features() | NetFeature.RING_PACKED.mask()))
        .negotiated()
        .features(PACKED);
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aBaseComesBackAsItWasTold(Personality personality) {
    ToldState told = told(personality);
    int base = 0x8003_0005;
    told.ring(0, base).ring(1, 0x0007_8007);

    boolean half = personality.baseSetsUsed();
    assertThat(told.state.ring(0).nextUsed()).isEqualTo(half ? 5 : 0x8003);
    assertThat(told.stop(0)).isEqualTo(half ? 5 : base);
    assertThat(told.stop(1)).isEqualTo(half ? 0x8007 : 0x0007_8007);
    assertThat(told.reads).as("there is no used index in guest memory").isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void aRingThatWasNeverToldABaseStandsAtTheStart(Personality personality) {
    ToldState told = told(personality);

    int start = personality.baseSetsUsed() ? 0x8000 : 0x8000_8000;
    assertThat(told.stop(0)).isEqualTo(personality.stoppedBaseIsZero() ? 0 : start);
  }

  @Test
  void withTheOtherKindOfRingABaseMeansNothing() {
    ToldState told = told(Personality.GENERIC).base(0, 0x8003_0005);

    told.features(PACKED);
    assertThat(told.baseOf(0)).as("the same features").isEqualTo(0x8003_0005);
    told.features(ToldState.FEATURES);
    assertThat(told.baseOf(0)).isZero();
    assertThat(
            told.tell(FrontEndRequest.SET_VRING_BASE, new VringState(0, 0x8003_0005), 0).verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
  }

  @Test
  void aPackedRingMayHaveAnySize() {
    ToldState told = told(Personality.GENERIC);

    told.done(FrontEndRequest.SET_VRING_NUM, new VringState(0, 7), 0);
    assertThat(told.tell(FrontEndRequest.SET_VRING_NUM, new VringState(0, 32769), 0).verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
    told.features(ToldState.FEATURES);
    assertThat(told.tell(FrontEndRequest.SET_VRING_NUM, new VringState(0, 7), 0).verdict())
        .isEqualTo(Outcome.Verdict.FAILED);
  }

  @Test
  void theAreasOfAPackedRingAreFourBytesLong() {
    ToldState told = told(Personality.GENERIC).size(0);
    told.done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(ToldState.RAM)), 1);
    long end = ToldState.USER + ToldState.RAM.size();
    long ring = end - 16 * 256;

    told.done(FrontEndRequest.SET_VRING_ADDR, new VringAddress(0, 0, ring, end - 4, end - 4, 0), 0);
    for (VringAddress wrong :
        List.of(
            new VringAddress(0, 0, ring + 16, ring, ring, 0),
            new VringAddress(0, 0, ring, end - 2, ring, 0),
            new VringAddress(0, 0, ring, ring, end, 0))) {
      assertThat(told.tell(FrontEndRequest.SET_VRING_ADDR, wrong, 0).verdict())
          .as("%s", wrong)
          .isEqualTo(Outcome.Verdict.FAILED);
    }
  }
}
