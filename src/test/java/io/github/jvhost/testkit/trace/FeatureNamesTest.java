package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.NetFeature;
import org.junit.jupiter.api.Test;

class FeatureNamesTest {
  private static final long FEATURES =
      NetFeature.maskOf(NetFeature.MQ, NetFeature.VERSION_1)
          | VhostFeature.LOG_ALL
          | VhostFeature.PROTOCOL_FEATURES
          | 1L << 41;

  @Test
  void vhostsOwnBitsHaveNames() {
    assertThat(FeatureNames.describe(FEATURES))
        .isEqualTo("MQ|LOG_ALL|PROTOCOL_FEATURES|VERSION_1|bit 41");
    assertThat(FeatureNames.describe(0)).isEqualTo("none");
  }

  @Test
  void ofAnotherDeviceOnlyTheCommonBitsAreNamed() {
    assertThat(FeatureNames.of(FEATURES, false))
        .containsExactly("bit 22", "LOG_ALL", "PROTOCOL_FEATURES", "VERSION_1", "bit 41");
  }
}
