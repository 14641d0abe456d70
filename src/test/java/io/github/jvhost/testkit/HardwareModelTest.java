package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The price list: the RFC's two figures to the microsecond, and what each kind of difference adds.
 */
class HardwareModelTest {
  private static final HardwareModel RFC = HardwareModel.rfc();

  @Test
  void aFullConfigurationOfOnePairCostsWhatTheRfcSays() {
    assertThat(RFC.costMicros(null, image(1, 0, 0))).isEqualTo(95_700);
  }

  @Test
  void movedIndexesCostWhatTheRfcSays() {
    assertThat(RFC.costMicros(image(1, 0, 0), image(1, 1000, 0))).isEqualTo(3_300);
  }

  @Test
  void nothingChangedCostsTheFixedPart() {
    assertThat(RFC.costMicros(image(1, 5, 0), image(1, 5, 0))).isEqualTo(1_300);
  }

  @Test
  void oneMovedIndexOfTwoIsChargedOnce() {
    HardwareImage before = image(1, 0, 0);
    HardwareImage.Ring moved = ring(1, 7);
    HardwareImage after = new HardwareImage(0, List.of(before.rings().get(0), moved));

    assertThat(RFC.costMicros(before, after)).isEqualTo(2_300);
  }

  @Test
  void aSecondPairIsCreatedAndRssIsDoneAgainForBothReceivers() {
    assertThat(RFC.costMicros(image(1, 0, 0), image(2, 0, 0)))
        .isEqualTo(1_300 + 2 * (42_700 + 1_000) + 2 * 7_000);
  }

  @Test
  void aPairLessOnlyChangesRss() {
    assertThat(RFC.costMicros(image(2, 0, 0), image(1, 0, 0))).isEqualTo(1_300 + 7_000);
  }

  @Test
  void changedFeaturesCreateEverythingAgain() {
    assertThat(RFC.costMicros(image(1, 0, 0), image(1, 0, 32))).isEqualTo(95_700);
  }

  @Test
  void aMovedRingIsCreatedAgain() {
    HardwareImage before = image(1, 0, 0);
    HardwareImage.Ring other = new HardwareImage.Ring(1, 256, 1, 2, 3, 0);

    assertThat(RFC.costMicros(before, new HardwareImage(0, List.of(before.rings().get(0), other))))
        .isEqualTo(1_300 + 42_700 + 1_000);
  }

  @Test
  void lockedMemoryCostsPerGibibyteAndNothingElse() {
    assertThat(HardwareModel.lockedMemory().mapMicros(1L << 30)).isEqualTo(45_000);
    assertThat(HardwareModel.lockedMemory().mapMicros(3L << 29)).isEqualTo(67_500);
    assertThat(HardwareModel.lockedMemory().costMicros(null, image(4, 0, 0))).isZero();
    assertThat(RFC.mapMicros(1L << 40)).isZero();
  }

  @Test
  void noneIsFree() {
    assertThat(HardwareModel.none().costMicros(null, image(8, 0, 0))).isZero();
    assertThat(HardwareModel.none().mapMicros(1L << 40)).isZero();
  }

  @Test
  void everyNameSaysThatItIsModelled() {
    assertThat(List.of(RFC, HardwareModel.lockedMemory(), HardwareModel.none()))
        .allSatisfy(model -> assertThat(model.name()).contains("modelled"));
  }

  @Test
  void pricesAreReadFromAFile(@TempDir Path dir) throws IOException {
    Path file = dir.resolve("nic.properties");
    Files.writeString(
        file, "modelled.fixed-ms = 1.3\nmodelled.create-ms=42.7\nmodelled.map-ms-per-gib=45\n");

    HardwareModel model = HardwareModel.fromFile(file);

    assertThat(model)
        .isEqualTo(new HardwareModel("nic.properties (modelled)", 1_300, 42_700, 0, 0, 45_000));
  }

  @Test
  void anUnknownKeyIsNamed(@TempDir Path dir) throws IOException {
    Path file = dir.resolve("nic.properties");
    Files.writeString(file, "modelled.fixd-ms=1\n");

    assertThatThrownBy(() -> HardwareModel.fromFile(file))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("unknown key 'modelled.fixd-ms'");
  }

  @Test
  void whatIsNoNumberIsNamed(@TempDir Path dir) throws IOException {
    Path file = dir.resolve("nic.properties");
    Files.writeString(file, "modelled.rss-ms=seven\n");

    assertThatThrownBy(() -> HardwareModel.fromFile(file))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("modelled.rss-ms is 'seven'");
  }

  @Test
  void aNegativePriceIsNamed(@TempDir Path dir) throws IOException {
    Path file = dir.resolve("nic.properties");
    Files.writeString(file, "modelled.rss-ms=-1\n");

    assertThatThrownBy(() -> HardwareModel.fromFile(file))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("modelled.rss-ms is -1");
  }

  @Test
  void aMissingFileIsOneLine(@TempDir Path dir) {
    assertThatThrownBy(() -> HardwareModel.fromFile(dir.resolve("absent")))
        .isInstanceOf(VhostException.class)
        .message()
        .contains("absent")
        .doesNotContain("\n");
  }

  @Test
  void timeIsSpentAndWrittenDown() {
    List<ConfigCharge> charges = new ArrayList<>();
    ModelledHardware hardware = new ModelledHardware(RFC, charges::add);

    long before = System.nanoTime();
    hardware.configure("DRIVER_OK", image(1, 0, 0));
    long after = System.nanoTime();
    hardware.configure("DRIVER_OK", image(1, 0, 0));
    hardware.forget();

    assertThat(after - before).isGreaterThanOrEqualTo(95_700_000);
    assertThat(charges).extracting(ConfigCharge::micros).containsExactly(95_700L, 1_300L);
    assertThat(charges.getFirst().what()).contains("modelled", "DRIVER_OK", "2 rings");
  }

  private static HardwareImage image(int pairs, int index, long features) {
    List<HardwareImage.Ring> rings = new ArrayList<>();
    for (int i = 0; i < 2 * pairs; i++) {
      rings.add(ring(i, index));
    }
    return new HardwareImage(features, rings);
  }

  private static HardwareImage.Ring ring(int number, int index) {
    return new HardwareImage.Ring(
        number, 256, 0x1000L * number, 0x1000L * number + 1, 0x1000L * number + 2, index);
  }
}
