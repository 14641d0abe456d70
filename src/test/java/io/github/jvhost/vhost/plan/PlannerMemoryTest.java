package io.github.jvhost.vhost.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.ProtocolFeature;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * How guest memory is told to back ends that take it region by region, and to those that do not.
 */
class PlannerMemoryTest {
  private final Configs configs = new Configs();
  private final DeviceConfig running = configs.running(1);

  @AfterEach
  void close() {
    configs.close();
    assertThat(configs.ledger.describeOpen()).isEmpty();
  }

  private static BackEndCapabilities withSlots(int slots) {
    BackEndCapabilities plain = Configs.backEnd(BackEndProfile.GENERIC);
    return new BackEndCapabilities(
        plain.features(),
        plain.protocolFeatures() | ProtocolFeature.CONFIGURE_MEM_SLOTS.mask(),
        4,
        slots,
        plain.dialect(),
        plain.profile());
  }

  private static List<String> memorySteps(Plan plan) {
    return Configs.steps(plan).stream()
        .filter(
            s -> s.startsWith("add ") || s.startsWith("remove ") || s.matches("memory|log|stop.*"))
        .toList();
  }

  /** A table of so many small regions, all in one file. */
  private MemoryTable regions(int count) {
    MemoryRegion like = configs.low.regions().getFirst();
    List<MemoryRegion> regions = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long at = 0x1_0000_0000L + i * 0x10000L;
      regions.add(
          new MemoryRegion("dimm" + i, at, 0x10000, like.userAddress() + at, 0, like.file()));
    }
    regions.add(like);
    return new MemoryTable(regions);
  }

  @Test
  void aSlotBackEndIsNeverToldATable() {
    Plan first = Planner.plan(Shadow.nothingHeld(), running, withSlots(8));
    assertThat(memorySteps(first)).containsExactly("add low");
  }

  @Test
  void onlyTheDifferenceIsTold() {
    BackEndCapabilities slots = withSlots(8);
    Shadow held =
        Configs.after(Shadow.nothingHeld(), Planner.plan(Shadow.nothingHeld(), running, slots));
    Plan plugged = Planner.plan(held, Configs.withMemory(running, configs.both), slots);
    assertThat(Configs.steps(plugged)).containsExactly("add high");
    Shadow both = Configs.after(held, plugged);
    Plan unplugged = Planner.plan(both, running, slots);
    assertThat(Configs.steps(unplugged)).containsExactly("remove high");
  }

  @Test
  void whatGoesGoesFirst() {
    BackEndCapabilities slots = withSlots(1);
    Shadow held =
        Configs.after(Shadow.nothingHeld(), Planner.plan(Shadow.nothingHeld(), running, slots));
    Plan moved = Planner.plan(held, Configs.withMemory(running, configs.moved), slots);
    assertThat(memorySteps(moved))
        .as("rings in it stop before it goes")
        .containsExactly("stop 0", "stop 1", "remove low", "add low");
  }

  @Test
  void theLogGrowsBeforeMemoryComesAndShrinksAfterItWent() {
    BackEndCapabilities slots = withSlots(8);
    DeviceConfig logged = Configs.withLog(running, configs.smallLog);
    Shadow held =
        Configs.after(Shadow.nothingHeld(), Planner.plan(Shadow.nothingHeld(), logged, slots));
    DeviceConfig larger =
        Configs.withLog(Configs.withMemory(running, configs.both), configs.largerLog);
    Plan grow = Planner.plan(held, larger, slots);
    assertThat(memorySteps(grow)).containsExactly("log", "add high");
    Shadow grown = Configs.after(held, grow);
    assertThat(memorySteps(Planner.plan(grown, logged, slots)))
        .containsExactly("remove high", "log");
  }

  /** The kernel would mark pages in whatever this process has behind the log. */
  @Test
  void memoryBehindTheEndOfTheLogIsRefused() {
    DeviceConfig both = Configs.withMemory(running, configs.both);
    assertThatThrownBy(() ->
            Planner.plan(
                Shadow.nothingHeld(), Configs.withLog(both, configs.smallLog), withSlots(8)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("the dirty log has 4096 bytes, and ends before guest memory")
        .hasMessageContaining("whose last byte is at 0x103ffffff")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
    var justEnough = new LogTarget(configs.log.descriptor(), 0x104000000L / (8 * 4096));
    assertThat(
            memorySteps(
                Planner.plan(
                    Shadow.nothingHeld(), Configs.withLog(both, justEnough), withSlots(8))))
        .containsExactly("log", "add low", "add high");
    var oneLess = new LogTarget(configs.log.descriptor(), justEnough.size() - 1);
    assertThatThrownBy(() -> oneLess.requireCovers(configs.both))
        .isInstanceOf(VhostException.class);
  }

  @Test
  void moreRegionsThanTheBackEndTakesAreRefused() {
    DeviceConfig nine = Configs.withMemory(running, regions(8));
    assertThatThrownBy(
            () -> Planner.plan(Shadow.nothingHeld(), nine, Configs.backEnd(BackEndProfile.GENERIC)))
        .isInstanceOf(VhostException.class)
        .hasMessage("guest memory has 9 regions, the back end takes 8")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
    assertThatThrownBy(() -> Planner.plan(Shadow.nothingHeld(), nine, withSlots(4)))
        .hasMessage("guest memory has 9 regions, the back end takes 4");
    assertThat(memorySteps(Planner.plan(Shadow.nothingHeld(), nine, withSlots(9)))).hasSize(9);
  }

  @Test
  void fiveHundredAndTwelveRegionsGoOneByOne() {
    DeviceConfig many = Configs.withMemory(running, regions(511));
    Plan plan = Planner.plan(Shadow.nothingHeld(), many, withSlots(512));
    assertThat(memorySteps(plan)).hasSize(512).allMatch(s -> s.startsWith("add "));
  }

  @Test
  void slotsThatNobodyKnowsNeedANewConnection() {
    BackEndCapabilities slots = withSlots(8);
    Plan first = Planner.plan(Shadow.nothingHeld(), running, slots);
    int add = Configs.steps(first).indexOf("add low");
    Shadow broken =
        Shadow.nothingHeld()
            .after(
                first,
                new Outcome(add, List.of(), 0, 1, 0, 0, new BackEndRefusedException("no memory")));
    assertThatThrownBy(() -> Planner.plan(broken, running, slots))
        .isInstanceOf(VhostException.class)
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
  }
}
