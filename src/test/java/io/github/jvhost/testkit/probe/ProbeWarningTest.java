package io.github.jvhost.testkit.probe;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.probe.ProbeResult.Warning;
import io.github.jvhost.testkit.trace.SortedTimes;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What a probe says of an offer that can be misread. */
class ProbeWarningTest {
  private static ProbeResult offering(long features, ProtocolFeature... protocol) {
    return new ProbeResult(
        features,
        OptionalLong.of(ProtocolFeature.maskOf(protocol)),
        0,
        OptionalLong.empty(),
        OptionalLong.empty(),
        OptionalInt.empty(),
        SortedTimes.of(new long[0], 0),
        Dialect.UPSTREAM);
  }

  @Test
  void loggingTakesALogThatCanBeGiven() {
    ProbeResult without = offering(VhostFeature.LOG_ALL, ProtocolFeature.MQ);

    assertThat(without.offersLogging()).isTrue();
    assertThat(without.canLog()).isFalse();
    assertThat(offering(VhostFeature.LOG_ALL, ProtocolFeature.LOG_SHMFD).canLog()).isTrue();
    assertThat(offering(0, ProtocolFeature.LOG_SHMFD).canLog()).isFalse();
  }

  @Test
  void whatMayBeMeantOtherwiseIsWarnedOf() {
    assertThat(offering(0, ProtocolFeature.GPA_ADDRESSES).warnings())
        .containsExactly(Warning.SHMEM_ON_BIT_21);
    assertThat(offering(0, ProtocolFeature.GPA_ADDRESSES, ProtocolFeature.SHMEM).warnings())
        .as("who has 22 knows what 21 is")
        .isEmpty();
    assertThat(offering(0, ProtocolFeature.CONFIG).warnings())
        .containsExactly(Warning.CONFIG_FLAGS);
    assertThat(offering(-1, ProtocolFeature.MQ).warnings()).isEmpty();
  }
}
