package io.github.jvhost.vhost.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.vhost.plan.Fact.AfterReset;
import io.github.jvhost.vhost.plan.Fact.Early;
import io.github.jvhost.vhost.plan.Fact.WhileRunning;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Holds docs/architecture.md's tables of facts against the rows of {@link Fact}. */
class FactTableTest {

  @Test
  void theDocumentSaysOfEachRingFactWhatItsRowSays() throws IOException {
    List<String> rows = new ArrayList<>();
    for (Fact<?> fact : Fact.OF_RING) {
      String kept =
          List.of(BackEndProfile.values()).stream()
              .filter(fact::isKeptOverStop)
              .map(BackEndProfile::name)
              .collect(Collectors.joining(", "));
      rows.add(
          "| %s | %s | %s | %s |"
              .formatted(fact.name(), running(fact), early(fact), kept.isEmpty() ? "no" : kept));
    }

    assertThat(Files.readAllLines(Path.of("docs/architecture.md"))).containsSequence(rows);
  }

  @Test
  void theDocumentSaysOfEachDeviceFactWhatItsRowSays() throws IOException {
    List<String> rows = new ArrayList<>();
    for (Fact<?> fact : Fact.OF_DEVICE) {
      rows.add("| %s | %s |".formatted(fact.name(), after(fact.afterReset())));
    }

    assertThat(Files.readAllLines(Path.of("docs/architecture.md"))).containsSequence(rows);
  }

  private static String running(Fact<?> fact) {
    return switch (fact.whileRunning()) {
      case SENT -> "sent";
      case STOP_FIRST -> "sent after stopping the ring";
      case NEVER -> "never sent: the ring would be rewound";
    };
  }

  private static String early(Fact<?> fact) {
    String to =
        switch (fact.earlyColumn()) {
          case ANY -> "any back end";
          case HOLDING ->
              "any back end that holds its rings until a later step, or that knows PRESETUP";
          case EXPLICIT, EXPLICIT_HOLDING -> "one that knows PRESETUP";
          case NONE -> "none";
        };
    return fact.isSettledEarly(Early.EXPLICIT) || fact.earlyColumn().compareTo(Early.EXPLICIT) >= 0
        ? to
        : to + "; without a descriptor where only PRESETUP is known of it";
  }

  private static String after(AfterReset what) {
    return switch (what) {
      case KEPT -> "kept";
      case ZERO -> "0";
      case MAY_BE_GONE -> "may be gone";
      case GONE -> "gone";
    };
  }

  /** The text of the column above is true of what {@link Fact} does. */
  @Test
  void whatOneThatHoldsItsRingsIsSentEarlyOneThatKnowsPresetupIsSentToo() {
    assertThat(Stream.of(Fact.ADDRESS, Fact.LOG_USED, Fact.KICK))
        .allMatch(fact -> fact.earlyColumn() == Early.HOLDING)
        .allMatch(fact ->
            Stream.of(Early.EXPLICIT, Early.EXPLICIT_HOLDING)
                .allMatch(to -> fact.earlyColumn().compareTo(to) <= 0));
  }

  /**
   * The early configuration of these is what the running device is to hold: nothing asks their
   * column.
   */
  @Test
  void whatTheEarlyConfigurationDoesNotLookUpMayBeSentToAnyBackEnd() {
    Set<Fact<?>> lookedUp =
        Set.of(
            Fact.SIZE, Fact.ADDRESS, Fact.BASE, Fact.KICK, Fact.CALL, Fact.ERR, Fact.TRANSLATIONS);

    assertThat(Stream.concat(Fact.OF_DEVICE.stream(), Fact.OF_RING.stream()))
        .filteredOn(fact -> !lookedUp.contains(fact) && fact != Fact.LOG_USED)
        .filteredOn(fact -> fact != Fact.SERVED && fact != Fact.STAND_IN) // they ask the lifecycle
        .allMatch(fact -> fact.earlyColumn() == Early.ANY);
    assertThat(Fact.LOG_USED.earlyColumn())
        .as("it goes with the address")
        .isEqualTo(Fact.ADDRESS.earlyColumn());
  }

  @Test
  void whatStartsOrRewindsARingIsNeverSentToEveryBackEndEarly() {
    assertThat(Fact.OF_RING)
        .filteredOn(fact -> fact.whileRunning() == WhileRunning.NEVER)
        .allMatch(fact -> fact.earlyColumn() == Early.EXPLICIT);
    assertThat(Fact.SERVED.earlyColumn()).isEqualTo(Early.NONE);
    assertThat(Fact.KICK.earlyColumn()).isNotEqualTo(Early.ANY);
    assertThat(Fact.ADDRESS.earlyColumn()).isNotEqualTo(Early.ANY);
  }
}
