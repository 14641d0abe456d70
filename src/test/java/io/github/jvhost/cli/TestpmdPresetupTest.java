package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a DPDK offers decides whether the demo tries explicit presetup at it. */
class TestpmdPresetupTest {
  private static final BackEndOffer FORK =
      BackEndOffer.of(Personality.VFE).withDialect(Dialect.RFC_2023);

  @TempDir private Path dir;

  private boolean isAt(BackEndOffer offer) {
    var ledger = DescriptorLedger.counting();
    boolean found;
    try (var backEnd = MockBackEnd.builder(dir.resolve("s"), ledger).offer(offer).start()) {
      found = TestpmdPresetup.isAt(backEnd.socket());
    }
    assertThat(ledger.openCount()).isZero();
    return found;
  }

  @Test
  void aForkThatOffersItHasIt() {
    assertThat(isAt(FORK)).isTrue();
  }

  @Test
  void aStockOneHasNot() {
    assertThat(isAt(BackEndOffer.of(Personality.DPDK))).isFalse();
  }

  /** Nothing would hold its rings between presetup and stop window. */
  @Test
  void withoutAStatusItIsOfNoUse() {
    assertThat(isAt(FORK.without(ProtocolFeature.STATUS))).isFalse();
  }
}
