package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** The tables of docs/migration.md and docs/presetup.md say what the code has. */
class GuideTablesTest {
  /** All rows of a page's tables, by their first cell without code marks. */
  private static Map<String, List<String>> rows(String page) throws IOException {
    var rows = new LinkedHashMap<String, List<String>>();
    for (String line : Files.readAllLines(Path.of("docs", page))) {
      if (line.startsWith("| ")) {
        List<String> cells =
            Arrays.stream(line.substring(1, line.length() - 1).split("\\|", -1))
                .map(cell -> cell.strip().replace("`", ""))
                .toList();
        rows.putIfAbsent(cells.getFirst(), cells.subList(1, cells.size()));
      }
    }
    return rows;
  }

  private static List<String> row(Map<String, List<String>> told, String first) {
    return Objects.requireNonNull(told.get(first), first);
  }

  private static String seconds(Duration time) {
    return time.toSeconds() + " s";
  }

  @Test
  void defaultsOfAMigration() throws IOException {
    MigrationOptions defaults = MigrationOptions.defaults();
    var told = rows("migration.md");

    assertThat(told.get("early")).first().isEqualTo(String.valueOf(defaults.early()));
    assertThat(told.get("order")).first().isEqualTo("StartOrder." + defaults.order());
    assertThat(told.get("lateWithin")).first().isEqualTo(seconds(defaults.lateWithin()));
    assertThat(told.get("linkWithin")).first().isEqualTo(seconds(defaults.linkWithin()));
    assertThat(told.get("windowWithin")).first().isEqualTo(seconds(defaults.windowWithin()));
    assertThat(told.get("stopPages")).first().isEqualTo(String.valueOf(defaults.stopPages()));
    assertThat(told.get("maxRounds")).first().isEqualTo(String.valueOf(defaults.maxRounds()));
    assertThat(told.get("presetupWithin")).first().isEqualTo(seconds(defaults.presetupWithin()));
  }

  @Test
  void defaultsOfADevice() throws IOException {
    VhostDeviceOptions options =
        VhostDeviceOptions.of("net0", Path.of("s"), DescriptorLedger.counting());
    var told = rows("migration.md");

    assertThat(told.get("connectWithin")).first().isEqualTo(seconds(options.connectWithin()));
    assertThat(told.get("transitionWithin")).first().isEqualTo(seconds(options.transitionWithin()));
    assertThat(Files.readString(Path.of("docs", "migration.md")))
        .contains("| `presetupWithin` | " + seconds(options.presetupWithin()) + " | one early");
    assertThat(options.dialect()).isEqualTo(Dialect.UPSTREAM);
    assertThat(options.profile()).isEqualTo(BackEndProfile.GENERIC);
  }

  @Test
  void dialects() throws IOException {
    var told = rows("presetup.md");
    for (Dialect dialect : List.of(Dialect.RFC_2023, Dialect.NVIDIA_QEMU_8_2)) {
      List<String> cells = row(told, "Dialect." + dialect.name());
      var code = dialect.presetup().orElseThrow();

      assertThat(cells.subList(0, 2)).containsExactly("" + code.bit(), "" + code.id());
      assertThat(cells.get(2).split(", "))
          .containsExactlyInAnyOrder(
              ProtocolFeature.describe(dialect.maskedProtocolFeatures()).split("\\|"));
    }
  }

  @Test
  void whatIsDeclaredAboutBackEnds() throws IOException {
    Map<String, Predicate<BackEndProfile>> claims =
        Map.of(
            "BackEndProfile.settlesRingsAtKick: another size or feature before the first kick is"
                + " sent alone",
            BackEndProfile::settlesRingsAtKick,
            "BackEndProfile.holdsRingsUntilDriverOk",
            BackEndProfile::holdsRingsUntilDriverOk,
            "BackEndProfile.takesUsedIndexAtTranslation",
            BackEndProfile::takesUsedIndexAtTranslation,
            "BackEndProfile.stopsWholeDevice: one GET_VRING_BASE may stop all rings",
            BackEndProfile::stopsWholeDevice,
            "BackEndProfile.stopClearsStatus: it may take DRIVER_OK away",
            BackEndProfile::stopClearsStatus,
            "BackEndProfile.packedBaseCarriesUsed",
            BackEndProfile::packedBaseCarriesUsed,
            "BackEndProfile.stopLeavesRequestsInFlight",
            BackEndProfile::stopLeavesRequestsInFlight,
            "BackEndProfile.hangsUpOnRefusal: of a message without an acknowledgement",
            BackEndProfile::hangsUpOnRefusal,
            "Fact.SIZE.isKeptOverStop: over GET_VRING_BASE",
            Fact.SIZE::isKeptOverStop,
            "Fact.ENABLED.isKeptOverStop: over GET_VRING_BASE; error eventfd and byte order,"
                + " too",
            Fact.ENABLED::isKeptOverStop);
    List<BackEndProfile> columns =
        List.of(
            BackEndProfile.GENERIC,
            BackEndProfile.DPDK,
            BackEndProfile.LIBVHOST_USER,
            BackEndProfile.NVIDIA_VFE,
            BackEndProfile.RUST_VMM);
    var told = rows("presetup.md");
    claims.forEach((row, claim) -> {
      for (int i = 0; i < columns.size(); i++) {
        String cell = row(told, row).get(i);
        if (columns.get(i).verified()) {
          assertThat(cell)
              .as(row + columns.get(i))
              .isEqualTo(claim.test(columns.get(i)) ? "yes" : "no");
        } else {
          assertThat(cell).as(row + columns.get(i)).startsWith("(");
        }
      }
    });
  }
}
