package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.vhost.StartOrder;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class MigrationOptionsTest {
  private final MigrationOptions defaults = MigrationOptions.defaults();

  @Test
  void eachPartCanBeChangedAlone() {
    assertThat(
            defaults
                .linkWithin(Duration.ofSeconds(3))
                .windowWithin(Duration.ofSeconds(7))
                .copyingStopped()
                .stopAt(10, 4))
        .isEqualTo(
            new MigrationOptions(
                true,
                StartOrder.PLANNED,
                defaults.presetupWithin(),
                defaults.lateWithin(),
                Duration.ofSeconds(3),
                Duration.ofSeconds(7),
                true,
                10,
                4));
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    Duration negative = Duration.ofMillis(-1);
    assertThatThrownBy(() -> defaults.linkWithin(Duration.ZERO))
        .hasMessageContaining("linkWithin PT0S");
    assertThatThrownBy(() -> defaults.linkWithin(negative))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> defaults.windowWithin(Duration.ZERO))
        .hasMessageContaining("windowWithin PT0S");
    assertThatThrownBy(() -> defaults.windowWithin(negative))
        .hasMessageContaining("windowWithin PT-0.001S");
    assertThatThrownBy(() -> defaults.patience(negative, Duration.ZERO))
        .hasMessageContaining("presetupWithin");
    assertThatThrownBy(() -> defaults.stopAt(-1, 1)).hasMessageContaining("stopPages -1");
    assertThatThrownBy(() -> defaults.stopAt(0, 0)).hasMessageContaining("maxRounds 0");
  }

  @Test
  void aQuietSourceMustNotBeTakenForOneThatIsGone() {
    MigrationOptions hasty = defaults.linkWithin(Duration.ofSeconds(4));

    assertThatThrownBy(hasty::requireLinkOutlastsPresetup)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("linkWithin PT4S, which is shorter than presetupWithin PT5S");
    assertThat(hasty.patience(Duration.ofSeconds(4), Duration.ZERO).requireLinkOutlastsPresetup())
        .isNotNull();
    assertThat(hasty.withoutEarly(StartOrder.PLANNED).requireLinkOutlastsPresetup()).isNotNull();
  }
}
