package io.github.jvhost.vhost.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FeatureRulesTest {
  private static final long ALL = (1L << ProtocolFeature.values().length) - 1;

  @Test
  void allButXenStandTogether() {
    assertThat(FeatureRules.broken(ALL & ~ProtocolFeature.XEN_MMAP.mask(), Dialect.UPSTREAM))
        .isEmpty();
    assertThat(FeatureRules.broken(0, Dialect.UPSTREAM)).isEmpty();
    assertThat(FeatureRules.broken(ProtocolFeature.XEN_MMAP.mask(), Dialect.UPSTREAM))
        .contains("XEN_MMAP");
  }

  @ParameterizedTest
  @EnumSource(
      names = {"INBAND_NOTIFICATIONS", "GET_VRING_BASE_INFLIGHT", "GET_VRING_BASE_SKIP_DRAIN"})
  void someNeedOthers(ProtocolFeature feature) {
    assertThat(FeatureRules.broken(feature.mask(), Dialect.UPSTREAM))
        .startsWith(feature + " needs ");
  }

  @Test
  void aMaskedFeatureIsNotAcknowledgedAndPresetupIs() {
    // Bit 18 is PRESETUP in this dialect; bit 19 is neither what upstream says nor anything else.
    assertThat(FeatureRules.broken(1L << 18, Dialect.RFC_2023)).isEmpty();
    assertThat(FeatureRules.broken(1L << 19, Dialect.RFC_2023))
        .isEqualTo("DEVICE_STATE is masked in the dialect RFC_2023");
    // Bit 20 is PRESETUP there, and so needs no in-flight region.
    assertThat(FeatureRules.broken(1L << 20, Dialect.NVIDIA_QEMU_8_2)).isEmpty();
  }

  @Test
  void whatLosesWhatItNeedsIsDroppedToo() {
    long skipDrain = ProtocolFeature.GET_VRING_BASE_SKIP_DRAIN.mask();
    long both = skipDrain | ProtocolFeature.GET_VRING_BASE_INFLIGHT.mask();

    assertThat(FeatureRules.keep(both | 1, Dialect.UPSTREAM)).isEqualTo(1);
    assertThat(FeatureRules.keep(skipDrain, Dialect.UPSTREAM)).isZero();
    long region = ProtocolFeature.INFLIGHT_SHMFD.mask();
    long inflight = ProtocolFeature.GET_VRING_BASE_INFLIGHT.mask();
    assertThat(FeatureRules.keep(inflight | region, Dialect.UPSTREAM))
        .as("bit 20 alone has no meaning of its own: an older back end would not drain")
        .isEqualTo(region);
    assertThat(FeatureRules.broken(inflight | region, Dialect.UPSTREAM))
        .isEqualTo("GET_VRING_BASE_INFLIGHT needs GET_VRING_BASE_SKIP_DRAIN");
    long whole = both | region;
    assertThat(FeatureRules.keep(whole, Dialect.UPSTREAM)).isEqualTo(whole);
    assertThat(FeatureRules.keep(1L << 20, Dialect.NVIDIA_QEMU_8_2))
        .as("PRESETUP there")
        .isEqualTo(1L << 20);
  }

  @Test
  void whatIsKeptBreaksNoRule() {
    var random = new SplittableRandom(20);
    for (Dialect dialect : List.of(Dialect.UPSTREAM, Dialect.RFC_2023, Dialect.NVIDIA_QEMU_8_2)) {
      for (int i = 0; i < 10_000; i++) {
        long wanted =
            random.nextLong() & (~dialect.maskedProtocolFeatures() | dialect.presetupMask());
        long kept = FeatureRules.keep(wanted, dialect);

        assertThat(FeatureRules.broken(kept, dialect)).as("%x", wanted).isEmpty();
        assertThat(kept & ~wanted).isZero();
      }
    }
  }
}
