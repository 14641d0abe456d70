package io.github.jvhost.testkit.scenario;

import static io.github.jvhost.testkit.scenario.Runs.DEVICES;
import static io.github.jvhost.testkit.scenario.Runs.dpdkLike;
import static io.github.jvhost.testkit.scenario.Runs.fields;
import static io.github.jvhost.testkit.scenario.Runs.migrate;
import static io.github.jvhost.testkit.scenario.Runs.options;
import static io.github.jvhost.testkit.scenario.Runs.steps;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.Personality;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the guest or its VMM changes after presetup is told in the window, and nothing else is. */
@Timeout(120)
class ChangeTest {
  /** What is told of a ring in any case. */
  private static Set<String> usual(Variant variant) {
    return variant == Variant.EXPLICIT
        ? Set.of("base", "call", "kick")
        : Set.of("base", "address", "kick");
  }

  /** The steps of a device that an unchanged guest's plan would not have. */
  private static List<String> beyondUsual(RunResult result, int device) {
    Set<String> usual = usual(result.options().variant());
    return steps(
        result,
        device,
        s -> {
          String last = s.field().substring(s.field().lastIndexOf(' ') + 1);
          return !s.field().equals("status") && !usual.contains(last);
        });
  }

  private static RunResult change(Variant variant, int queuePairs, Change change) {
    RunResult result = migrate(options(variant, queuePairs).with(change, Failure.NONE));
    assertThat(result.fallback()).isNull();
    assertThat(result.waits()).isEqualTo(DEVICES);
    assertThat(result.sourceWaits()).isEqualTo(DEVICES);
    // The other device has not changed, as far as the change is not one of the whole VM.
    if (change != Change.MEMORY) {
      assertThat(beyondUsual(result, 1)).isEmpty();
    }
    for (int device = 0; device < DEVICES; device++) {
      assertThat(fields(result, device)).doesNotHaveDuplicates().endsWith("status");
    }
    return result;
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void anUnchangedGuest(Variant variant) {
    assertThat(beyondUsual(change(variant, 1, Change.NONE), 0)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void anMtuIsOneStep(Variant variant) {
    RunResult result = change(variant, 1, Change.MTU);

    assertThat(beyondUsual(result, 0)).containsExactly("mtu");
    assertThat(result.plan())
        .filteredOn(s -> s.field().equals("mtu"))
        .singleElement()
        .satisfies(s -> {
          assertThat(s.before()).contains("1500");
          assertThat(s.after()).contains("1400");
        });
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void anAddressOfTheGuestNeverReachesTheBackEnd(Variant variant) {
    // That it is announced all the same shows in the inbound pings, which recover (see Runs).
    assertThat(beyondUsual(change(variant, 1, Change.MAC), 0)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void moreQueuePairsAreEnabled(Variant variant) {
    assertThat(beyondUsual(change(variant, 1, Change.QUEUE_PAIRS), 0))
        .containsExactly("ring 2 enabled", "ring 3 enabled");
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void fewerQueuePairsAreDisabled(Variant variant) {
    RunResult result = change(variant, 4, Change.QUEUE_PAIRS);

    assertThat(beyondUsual(result, 0)).containsExactly("ring 6 enabled", "ring 7 enabled");
    assertThat(result.plan())
        .filteredOn(s -> s.field().endsWith(" enabled"))
        .allSatisfy(s -> assertThat(s.after()).isEqualTo("false"));
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void aRegionOfMemoryMovesEveryRing(Variant variant) {
    RunResult result = change(variant, 1, Change.MEMORY);

    List<String> expected = new ArrayList<>(List.of("memory table"));
    if (variant == Variant.EXPLICIT) {
      expected.addAll(List.of("ring 0 address", "ring 1 address"));
    }
    for (int device = 0; device < DEVICES; device++) {
      assertThat(beyondUsual(result, device)).containsExactlyElementsOf(expected);
      assertThat(fields(result, device)).contains("ring 0 address", "ring 1 address");
    }
    long all = result.options().memoryBytes() + Hooks.ADDED_BYTES;
    assertThat(result.totalPages()).isEqualTo(all / 4096);
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void aResetDeviceHasItsRingsElsewhere(Variant variant) {
    RunResult result = change(variant, 1, Change.RESET);

    assertThat(fields(result, 0)).contains("ring 0 address", "ring 1 address");
    assertThat(beyondUsual(result, 0))
        .as("no new negotiation, no new memory")
        .allMatch(f -> f.endsWith(" address"));
  }

  @Test
  void everyChangeGoesWellWithWhatIsKnownOfDpdk() {
    for (Change change : Change.values()) {
      RunResult result = migrate(dpdkLike(1).with(change, Failure.NONE));

      assertThat(result.fallback()).isNull();
      assertThat(result.waits()).isEqualTo(DEVICES);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"CROSVM", "VPP"})
  void everyChangeGoesWellAtBackEndsThatForgetWholeRings(Personality personality) {
    for (Change change : Change.values()) {
      RunResult result =
          migrate(
              options(Variant.IMPLICIT, 2)
                  .with(null, personality, null)
                  .with(change, Failure.NONE));

      assertThat(result.fallback()).isNull();
      assertThat(result.waits()).isEqualTo(DEVICES);
    }
  }

  @Test
  void everyChangeGoesWellWithNothingEarly() {
    for (Change change : Change.values()) {
      RunResult result = migrate(options(Variant.OFF).with(change, Failure.NONE));

      assertThat(result.fallback()).isNull();
    }
  }
}
