package io.github.jvhost.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RequestTableTest {
  @Test
  void theNumbersAreOneToFortyFiveWithoutAGapAndPresetupHasNone() {
    assertThat(
            Arrays.stream(FrontEndRequest.values())
                .filter(request -> request != FrontEndRequest.PRESETUP)
                .map(request -> request.fixedId().getAsInt()))
        .containsExactlyElementsOf(IntStream.rangeClosed(1, 45).boxed().toList());
    assertThat(FrontEndRequest.PRESETUP.fixedId()).isEmpty();
    for (BackEndRequest request : BackEndRequest.values()) {
      assertThat(BackEndRequest.of(request.id())).contains(request);
    }
    assertThat(BackEndRequest.of(0)).isEmpty();
    assertThat(BackEndRequest.of(11)).isEmpty();
  }

  @Test
  void protocolFeaturesAreBitsZeroToTwentyThree() {
    assertThat(Arrays.stream(ProtocolFeature.values()).map(ProtocolFeature::bit))
        .containsExactlyElementsOf(IntStream.rangeClosed(0, 23).boxed().toList());
    assertThat(ProtocolFeature.describe(0x9L | 1L << 40)).isEqualTo("MQ|REPLY_ACK|bit 40");
    assertThat(ProtocolFeature.describe(0)).isEqualTo("none");
  }

  /** But for IOTLB_MSG: back ends were seen to answer it only if they are asked to. */
  @Test
  void theExplicitAnswersAreThoseOfTheSpecification() {
    assertThat(
            Arrays.stream(FrontEndRequest.values())
                .filter(request -> request.explicitReply(0).isPresent())
                .map(Enum::name))
        .containsExactly(
            "GET_FEATURES",
            "GET_VRING_BASE",
            "GET_PROTOCOL_FEATURES",
            "GET_QUEUE_NUM",
            "GET_CONFIG",
            "CREATE_CRYPTO_SESSION",
            "POSTCOPY_ADVISE",
            "POSTCOPY_END",
            "GET_INFLIGHT_FD",
            "GET_MAX_MEM_SLOTS",
            "GET_STATUS",
            "GET_SHARED_OBJECT",
            "SET_DEVICE_STATE_FD",
            "CHECK_DEVICE_STATE",
            "GET_SHMEM_CONFIG",
            "GET_VRING_BASE_SKIP_DRAIN");
  }

  @Test
  void theLogBaseIsAlwaysAnsweredOnceItsFileIsShared() {
    assertThat(FrontEndRequest.SET_LOG_BASE.explicitReply(0)).isEmpty();
    assertThat(FrontEndRequest.SET_LOG_BASE.explicitReply(ProtocolFeature.LOG_SHMFD.mask()))
        .isEqualTo(Optional.of(PayloadKind.IGNORED));
  }

  @Test
  void descriptorsMustMatchWhatThePayloadAnnounces() {
    FrontEndRequest kick = FrontEndRequest.SET_VRING_KICK;
    kick.requireWellFormed(new VringDescriptor(0, false), 1);
    kick.requireWellFormed(new VringDescriptor(0, true), 0);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> kick.requireWellFormed(new VringDescriptor(0, true), 1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> kick.requireWellFormed(new VringDescriptor(0, false), 0));
    var table = new MemoryTablePayload(List.of(new MemoryRegionPayload(0, 1, 0, 0)));
    FrontEndRequest.SET_MEM_TABLE.requireWellFormed(table, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> FrontEndRequest.SET_MEM_TABLE.requireWellFormed(table, 2));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> FrontEndRequest.SET_OWNER.requireWellFormed(new U64(0), 0))
        .withMessageContaining("carries NONE");
  }
}
