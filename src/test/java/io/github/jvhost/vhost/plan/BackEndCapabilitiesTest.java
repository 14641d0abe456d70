package io.github.jvhost.vhost.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BackEndCapabilitiesTest {
  private static BackEndCapabilities of(long protocolFeatures, Dialect dialect) {
    return new BackEndCapabilities(0, protocolFeatures, 1, dialect, BackEndProfile.GENERIC);
  }

  @Test
  void theBitOfPresetupIsNoOtherFeature() {
    long status = ProtocolFeature.STATUS.mask();

    BackEndCapabilities rfc = of(status | 1L << 18, Dialect.RFC_2023);
    assertThat(rfc.hasPresetup()).isTrue();
    assertThat(rfc.has(ProtocolFeature.STATUS)).isTrue();
    assertThat(rfc.has(ProtocolFeature.SHARED_OBJECT)).isFalse();

    BackEndCapabilities nvidia = of(status | 1L << 20, Dialect.NVIDIA_QEMU_8_2);
    assertThat(nvidia.hasPresetup()).isTrue();
    assertThat(nvidia.has(ProtocolFeature.GET_VRING_BASE_INFLIGHT)).isFalse();
  }

  @ParameterizedTest
  @EnumSource(ProtocolFeature.class)
  void upstreamEachBitIsItsFeature(ProtocolFeature feature) {
    assertThat(of(feature.mask(), Dialect.UPSTREAM).has(feature)).isTrue();
    assertThat(of(~feature.mask(), Dialect.UPSTREAM).has(feature)).isFalse();
  }
}
