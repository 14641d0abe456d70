package io.github.jvhost.vhost.plan;

import static io.github.jvhost.vhost.plan.Configs.after;
import static io.github.jvhost.vhost.plan.Configs.backEnd;
import static io.github.jvhost.vhost.plan.Configs.steps;
import static io.github.jvhost.vhost.plan.Configs.stopped;
import static io.github.jvhost.vhost.plan.Configs.translated;
import static io.github.jvhost.vhost.plan.Configs.withMemory;
import static io.github.jvhost.vhost.plan.Configs.withRings;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Translations are one more thing that a back end holds: desired, shadow, difference. */
class PlannerTranslationsTest {
  private static final BackEndCapabilities DPDK = backEnd(BackEndProfile.DPDK);
  private static final long PAGE = 4096;

  private final Configs configs = new Configs();
  private final DeviceConfig plain = configs.running(1);

  @AfterEach
  void close() {
    configs.close();
  }

  /** A page at an I/O virtual address that leads to a guest page. */
  private static Translation page(long iovaPage, long guestPage) {
    return new Translation(iovaPage * PAGE, guestPage * PAGE, PAGE, Access.READ_WRITE);
  }

  private DeviceConfig with(Translation... translations) {
    return translated(plain, List.of(translations));
  }

  private static Plan plan(Shadow held, DeviceConfig desired) {
    return Planner.plan(held, desired, DPDK);
  }

  private static Shadow running(DeviceConfig desired) {
    return after(Shadow.nothingHeld(), plan(Shadow.nothingHeld(), desired));
  }

  private static List<String> about(Plan plan, String word) {
    return steps(plan).stream().filter(step -> step.contains(word)).toList();
  }

  // ---- order ----

  @Test
  void ringsExistBeforeATranslationAndKnowTheirAddressesAfterIt() {
    List<String> sent = steps(plan(Shadow.nothingHeld(), with(page(0x100, 1), page(0x200, 2))));

    assertThat(sent)
        .containsSubsequence(
            "features",
            "memory",
            "call 0",
            "call 1",
            "translate 0x100000 +0x1000 to guest 0x1000 READ_WRITE",
            "translate 0x200000 +0x1000 to guest 0x2000 READ_WRITE",
            "base 0",
            "address 0",
            "kick 0",
            "base 1");
  }

  @Test
  void ringAddressesAreSentAsTheyAre() {
    assertThat(plan(Shadow.nothingHeld(), with()).steps())
        .filteredOn(s -> s.step() instanceof Step.SetRingAddress)
        .hasSize(2)
        .allSatisfy(s -> assertThat(((Step.SetRingAddress) s.step()).memory()).isNull());
  }

  // ---- presetup ----

  @Test
  void whatWasToldEarlyIsNotToldInTheWindow() {
    DeviceConfig desired = with(page(0x100, 1), page(0x200, 2));
    DeviceConfig early = EarlyConfiguration.of(PresetupMode.IMPLICIT, desired, DPDK);
    Plan preset = plan(Shadow.nothingHeld(), early);

    assertThat(about(preset, "translate")).hasSize(2);
    assertThat(steps(plan(after(Shadow.nothingHeld(), preset), desired)))
        .containsExactly("base 0", "base 1", "status f");
  }

  @Test
  void theWindowWithdrawsAndTellsBeforeItSetsABase() {
    DeviceConfig early =
        EarlyConfiguration.of(PresetupMode.IMPLICIT, with(page(0x100, 1), page(0x200, 2)), DPDK);
    Shadow preset = after(Shadow.nothingHeld(), plan(Shadow.nothingHeld(), early));

    assertThat(steps(plan(preset, with(page(0x100, 1), page(0x200, 7)))))
        .as("no ring runs, so none has to be waited for")
        .containsExactly(
            "invalidate 200000 to 200fff",
            "translate 0x200000 +0x1000 to guest 0x7000 READ_WRITE",
            "base 0",
            "base 1",
            "status f");
  }

  @Test
  void aBackEndThatMayTouchItsRingsIsToldNothingEarly() {
    BackEndCapabilities generic = backEnd(BackEndProfile.GENERIC);
    DeviceConfig early =
        EarlyConfiguration.of(PresetupMode.IMPLICIT, with(page(0x100, 1)), generic);

    assertThat(about(Planner.plan(Shadow.nothingHeld(), early, generic), "translate")).isEmpty();
  }

  // ---- while rings run ----

  @Test
  void whatTheGuestUnmapsIsWithdrawnAndEachRingIsWaitedFor() {
    Plan plan = plan(running(with(page(0x100, 1), page(0x200, 2))), with(page(0x100, 1)));

    assertThat(steps(plan)).containsExactly("invalidate 200000 to 200fff", "enable 0", "enable 1");
    assertThat(plan.steps()).extracting(PlannedStep::answer).containsOnly(Answer.COLLECTED);
  }

  @Test
  void anEntryThatChangesIsWithdrawnBeforeItIsToldAnew() {
    assertThat(steps(plan(running(with(page(0x100, 1))), with(page(0x100, 9)))))
        .containsExactly(
            "invalidate 0 to " + Long.toHexString(-1),
            "enable 0",
            "enable 1",
            "translate 0x100000 +0x1000 to guest 0x9000 READ_WRITE");
  }

  @Test
  void theEntryRightBehindAWithdrawnOneIsToldAgain() {
    DeviceConfig before = with(page(0x100, 1), page(0x101, 2), page(0x102, 3));

    assertThat(steps(plan(running(before), with(page(0x101, 2), page(0x102, 3)))))
        .contains("translate 0x101000 +0x1000 to guest 0x2000 READ_WRITE")
        .doesNotContain("translate 0x102000 +0x1000 to guest 0x3000 READ_WRITE");
  }

  @Test
  void everythingIsOneMessage() {
    DeviceConfig before = with(page(0x100, 1), page(0x200, 2), page(0x300, 3));

    assertThat(about(plan(running(before), with()), "invalidate"))
        .containsExactly("invalidate 0 to ffffffffffffffff");
  }

  @Test
  void nothingIsSentIfNothingChanged() {
    DeviceConfig before = with(page(0x100, 1), page(0x200, 2));

    assertThat(plan(running(before), before).steps()).isEmpty();
  }

  // ---- what a back end may forget ----

  @Test
  void anotherMemoryTableMakesEverythingBeToldAgain() {
    DeviceConfig before = with(page(0x100, 1));
    List<String> sent = steps(plan(running(before), withTable(before)));

    assertThat(sent)
        .containsSubsequence(
            "stop 0",
            "stop 1",
            "memory",
            "translate 0x100000 +0x1000 to guest 0x1000 READ_WRITE",
            "address 0",
            "kick 0");
  }

  private DeviceConfig withTable(DeviceConfig c) {
    return translated(withMemory(c, configs.both), List.copyOf(c.translations()));
  }

  @Test
  void aStopMakesEverythingBeToldAgain() {
    DeviceConfig before = with(page(0x100, 1));
    Shadow held = running(before);
    Shadow after = after(held, plan(held, stopped(before)));

    assertThat(about(plan(after, before), "translate")).hasSize(1);
    assertThat(about(plan(after, with(page(0x100, 5))), "invalidate"))
        .as("it may still hold the old one")
        .hasSize(1);
  }

  @Test
  void aTranslationOfAPresetRingMakesItsBaseBeSentAfterIt() {
    DeviceConfig early = EarlyConfiguration.of(PresetupMode.IMPLICIT, with(), DPDK);
    Shadow preset = after(Shadow.nothingHeld(), plan(Shadow.nothingHeld(), early));
    long used = Configs.place(0, 0).used();

    assertThat(steps(plan(preset, with(page(used / PAGE, 1)))))
        .containsSubsequence(
            "translate 0x%x +0x1000 to guest 0x1000 READ_WRITE".formatted(used), "base 0");
  }

  @Test
  void oneThatWasNotAnsweredIsStillWithdrawn() {
    DeviceConfig desired = with(page(0x100, 1));
    Plan first = plan(Shadow.nothingHeld(), desired);
    Shadow unsure =
        Shadow.nothingHeld()
            .after(
                first,
                new Outcome(
                    first.steps().size(),
                    0,
                    Collections.nCopies(first.steps().size(), null),
                    null,
                    List.of(),
                    first.steps().size(),
                    1,
                    0,
                    0,
                    null));

    assertThat(unsure.mayHoldTranslations(0x100000, 0x100fff)).isTrue();
  }

  // ---- any order ----

  /** What DPDK 22.11 does with its entries, as far as it was seen. */
  private static final class Iotlb {
    private final List<Translation> entries = new ArrayList<>();

    void take(Step step) {
      switch (step) {
        case Step.Translate(Translation one, var _) -> {
          if (entries.stream().noneMatch(e -> e.iova() == one.iova())) {
            entries.add(one);
          }
        }
        case Step.Invalidate(long first, long last) ->
            entries.removeIf(e -> e.touches(first, last) || (last != -1 && e.iova() == last + 1));
        case Step.StopRing _ -> entries.clear();
        case Step.Set<?> s when s.fact() == Fact.MEMORY -> entries.clear();
        default -> {}
      }
    }
  }

  @Test
  void whateverTheGuestMapsTheBackEndHasThatAndNothingElse() {
    for (int seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      Iotlb backEnd = new Iotlb();
      Shadow held = Shadow.nothingHeld();
      DeviceConfig desired = with();
      for (int i = 0; i < 12; i++) {
        desired =
            switch (random.nextInt(6)) {
              case 0 -> stopped(desired);
              case 1 -> translated(withMemory(plain, configs.both), mappings(random));
              default -> translated(plain, mappings(random));
            };
        DeviceConfig wanted = withRings(desired, r -> r.isSetUp() ? Configs.from(r, 5, 5) : r);
        Plan plan = plan(held, wanted);
        plan.steps().forEach(step -> backEnd.take(step.step()));
        held = after(held, plan);
        Translations told = held.get(Fact.TRANSLATIONS).orNull();
        assertThat(told == null ? List.of() : told.all()).containsAll(backEnd.entries);
        if (wanted.translations() != null) {
          assertThat(backEnd.entries)
              .as("seed %d, step %d", seed, i)
              .containsExactlyInAnyOrderElementsOf(wanted.translations());
        }
      }
    }
  }

  /** Some of a few pages, which lead to some of a few others. */
  private static List<Translation> mappings(Random random) {
    List<Translation> mapped = new ArrayList<>();
    for (long iova = 0x100; iova < 0x10c; iova++) {
      if (random.nextInt(3) != 0) {
        int pages = iova < 0x10a && random.nextInt(4) == 0 ? 2 : 1;
        mapped.add(
            new Translation(
                iova * PAGE, (1L + random.nextInt(3)) * PAGE, pages * PAGE, Access.READ_WRITE));
        iova += pages - 1;
      }
    }
    mapped.sort(Comparator.comparingLong(Translation::iova));
    return mapped;
  }
}
