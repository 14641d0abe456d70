package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.vhost.DeviceTranslations.Area;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Translations;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * A guest maps and unmaps, its back end asks and forgets, the device starts and stops, in any
 * order. What the back end holds is known. Nothing that was unmapped is held when it was
 * invalidated, and no miss is lost.
 */
class TranslationsInAnyOrderTest {
  private static final long PAGE = 4096;
  private static final int PAGES = 12;
  private static final long FIRST = 0x100000;
  private static final int CASES = Integer.getInteger("jvhost.fuzz.cases", 50_000) / 10;

  private final GuestMemory memory =
      GuestMemory.builder(DescriptorLedger.tracing()).region("ram", 0, 64 * PAGE).build();

  /** One guest, one device, one back end. */
  private final class Story {
    final SplittableRandom random;
    final IommuTable table = new IommuTable();
    final DeviceTranslations device =
        new DeviceTranslations("net0", new DeviceMemory(memory, table));
    final PlannedTranslations backEnd = new PlannedTranslations(device, memory);
    final List<Area> rings;
    boolean running;
    boolean preset;

    Story(SplittableRandom random) {
      this.random = random;
      this.rings = List.of(new Area(anyPage() + 512, 1 + random.nextInt(5000)));
      if (random.nextBoolean()) {
        List<Translation> hints = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          hints.add(anyMapping());
        }
        device.expect(hints);
        backEnd.plan(Lifecycle.PRESET, rings);
        preset = true;
      }
    }

    long anyPage() {
      return FIRST + random.nextInt(PAGES) * PAGE;
    }

    Translation anyMapping() {
      return new Translation(
          anyPage(),
          random.nextInt(8) * PAGE,
          (1 + random.nextInt(4)) * PAGE,
          Access.of(1 + random.nextInt(3)));
    }

    void run() {
      backEnd.plan(Lifecycle.RUNNING, rings);
      running = true;
    }

    /** What the watch does, and the end of {@code iotlbMapped}. */
    void tellWhatIsDue() {
      while (running && device.isPlanWanted()) {
        run();
      }
    }

    /** As {@link VhostNet#iotlbInvalidate}. */
    void invalidate(long first, long last) {
      if (running && backEnd.shadow().mayHoldTranslations(first, last)) {
        device.changedOnlyIn(new Area(first, last - first + 1));
        run();
        device.changedOnlyIn(null);
      }
    }

    void unmap() {
      Translation range = anyMapping();
      table.unmap(range.iova(), range.length());
      invalidate(range.iova(), range.last());
      if (running) {
        assertThat(backEnd.held)
            .filteredOn(held -> held.touches(range.iova(), range.last()))
            .allSatisfy(this::isMapped);
      }
    }

    void map() {
      Translation one = anyMapping();
      table.unmap(one.iova(), one.length());
      invalidate(one.iova(), one.last());
      table.map(one);
      if (!running && random.nextBoolean()) {
        return; // the state of an IOMMU that arrives says nothing to the device
      }
      boolean any = device.mapped(one.iova(), one.last(), random.nextInt(3) == 0);
      if (running && any) {
        run();
      }
      tellWhatIsDue();
    }

    void use() {
      if (running || preset) {
        backEnd.use(anyPage() + random.nextInt(4096), Access.of(1 + random.nextInt(3)));
        tellWhatIsDue();
      }
    }

    void step() {
      switch (random.nextInt(9)) {
        case 0, 1 -> map();
        case 2, 3 -> unmap();
        case 4, 5 -> use();
        case 6 -> backEnd.held.removeIf(_ -> random.nextInt(3) == 0); // as a full cache does
        case 7 -> device.desired(rings, true); // a question, and no plan
        default -> {
          if (running) {
            running = false; // the link is down: no ring runs, and nobody asks
            preset = false;
          } else {
            device.lookAgain();
            run();
            tellWhatIsDue();
          }
        }
      }
    }

    void isMapped(Translation held) {
      for (long at = held.iova(); at <= held.last(); at += PAGE) {
        long page = at;
        Translation now =
            table
                .translate(at, Access.READ)
                .or(() -> table.translate(page, Access.WRITE))
                .orElseThrow(() -> new AssertionError("held and not mapped: " + held));
        assertThat(now.guestAddress() + (at - now.iova()))
            .isEqualTo(held.guestAddress() + (at - held.iova()));
      }
    }

    void isKnown() {
      Translations known = backEnd.shadow().get(Fact.TRANSLATIONS).orNull();
      assertThat(known == null ? List.of() : known.all())
          .as("what the back end may hold")
          .containsAll(backEnd.held);
    }

    void noMissIsLost() {
      if (!running) {
        device.lookAgain();
      }
      run();
      tellWhatIsDue();
      assertThat(backEnd.held).allSatisfy(this::isMapped);
      assertThat(backEnd.asked)
          .as("asked for, and not told")
          .noneMatch(miss ->
              table
                  .translate(
                      miss.iova(),
                      miss.access() == Access.READ_WRITE ? Access.WRITE : miss.access())
                  .isPresent());
    }
  }

  @Test
  void whatIsHeldIsKnownAndNothingIsLost() {
    for (int seed = 0; seed < CASES; seed++) {
      try {
        Story story = new Story(new SplittableRandom(seed));
        for (int i = 0; i < 40; i++) {
          story.step();
          story.isKnown();
        }
        story.noMissIsLost();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
    memory.close();
  }
}
