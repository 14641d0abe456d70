package io.github.jvhost.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DialectTest {
  private static final List<Dialect> ALL =
      List.of(
          Dialect.UPSTREAM,
          Dialect.RFC_2023,
          Dialect.NVIDIA_QEMU_8_2,
          Dialect.custom("private", 40, 1000));

  @Test
  void inEveryDialectANumberHasOneMeaningAndAMeaningOneNumber() {
    for (Dialect dialect : ALL) {
      Map<Integer, FrontEndRequest> meanings = new HashMap<>();
      for (FrontEndRequest request : FrontEndRequest.values()) {
        dialect
            .idOf(request)
            .ifPresent(id -> {
              assertThat(meanings.put(id, request)).as("%s %d", dialect.name(), id).isNull();
              assertThat(dialect.requestOf(id)).contains(request);
            });
      }
    }
  }

  @Test
  void upstreamHasNoPresetup() {
    assertThat(Dialect.UPSTREAM.hasPresetup()).isFalse();
    assertThat(Dialect.UPSTREAM.presetupMask()).isZero();
    assertThat(Dialect.UPSTREAM.idOf(FrontEndRequest.PRESETUP)).isEmpty();
    assertThat(Dialect.UPSTREAM.requestOf(41)).contains(FrontEndRequest.GET_SHARED_OBJECT);
    assertThat(Dialect.UPSTREAM.requestOf(46)).isEmpty();
  }

  @Test
  void theRfcTakesNumber41AndBit18AndMasks19() {
    Dialect rfc = Dialect.RFC_2023;
    assertThat(rfc.idOf(FrontEndRequest.PRESETUP)).hasValue(41);
    assertThat(rfc.presetupMask()).isEqualTo(1L << 18);
    assertThat(rfc.maskedProtocolFeatures()).isEqualTo(3L << 18);
    assertThat(rfc.idOf(FrontEndRequest.GET_SHARED_OBJECT)).isEmpty();
    assertThat(rfc.idOf(FrontEndRequest.CHECK_DEVICE_STATE)).isEmpty();
    assertThat(rfc.requestOf(42)).isEmpty();
    assertThat(rfc.describe(1L << 18 | 8)).isEqualTo("REPLY_ACK|PRESETUP");
  }

  @Test
  void theRebaseTakesNumber44AndBit20AndWhatDependsOnThemIsAbsent() {
    Dialect nvidia = Dialect.NVIDIA_QEMU_8_2;
    assertThat(nvidia.idOf(FrontEndRequest.PRESETUP)).hasValue(44);
    assertThat(nvidia.presetupMask()).isEqualTo(1L << 20);
    assertThat(nvidia.idOf(FrontEndRequest.GET_SHMEM_CONFIG)).isEmpty();
    assertThat(nvidia.idOf(FrontEndRequest.GET_VRING_BASE_SKIP_DRAIN)).isEmpty();
    assertThat(nvidia.idOf(FrontEndRequest.GET_SHARED_OBJECT)).hasValue(41);
  }

  @Test
  void aCustomDialectWithATakenNumberIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Dialect.custom("x", 18, 1000))
        .withMessageContaining("bit 18")
        .withMessageContaining("SHARED_OBJECT");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Dialect.custom("x", 40, 41))
        .withMessageContaining("request id 41")
        .withMessageContaining("GET_SHARED_OBJECT");
    assertThatIllegalArgumentException().isThrownBy(() -> Dialect.custom("x", 64, 1000));
    assertThatIllegalArgumentException().isThrownBy(() -> Dialect.custom("x", 40, 0));
  }

  @Test
  void aMessageThatNeedsNoFeatureCannotBeMaskedAway() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Dialect("x", Optional.of(new PresetupCode(40, 3)), -1L, false))
        .withMessageContaining("SET_OWNER");
  }

  @Test
  void theGateOfPresetupIsItsOwnBit() {
    assertThat(Dialect.RFC_2023.gateOf(FrontEndRequest.PRESETUP)).isEqualTo(1L << 18);
    assertThat(Dialect.RFC_2023.gateOf(FrontEndRequest.GET_STATUS))
        .isEqualTo(ProtocolFeature.STATUS.mask());
  }
}
