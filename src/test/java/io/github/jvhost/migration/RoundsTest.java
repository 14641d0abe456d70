package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.Links;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How many rounds a guest has that never stands still. */
@Timeout(30)
class RoundsTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource({"0, 1, 1", "0, 3, 3", "1, 3, 1"})
  void thereAreAsManyAsAllowedAndOneMoreWhileTheGuestIsStopped(
      long stopPages, int maxRounds, int expected) throws Exception {
    List<Integer> rounds = new ArrayList<>();
    try (GuestMemory here = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        GuestMemory there = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        Links links = Links.connect(dir.resolve("s"))) {
      var ram = new BusyRam(new PreCopySource(here, 1 << 20, Runnable::run));
      MigrationSource source =
          MigrationSource.builder(ledger)
              .ram(ram)
              .vm(new AnyVm())
              .link(links.source())
              .options(MigrationOptions.defaults().stopAt(stopPages, maxRounds))
              .listener(
                  new MigrationListener() {
                    @Override
                    public void phase(Phase phase) {}

                    @Override
                    public void round(int round, long pages, boolean presetupAnswered) {
                      rounds.add(round);
                    }
                  })
              .build();
      MigrationDestination destination =
          MigrationDestination.builder()
              .ram(new InPlaceTarget(there))
              .vm(new AnyVm())
              .link(links.destination())
              .build();
      var arrived = new FutureTask<>(destination::run);
      Thread.ofPlatform().daemon().start(arrived);

      SourceReport report = source.run();

      assertThat(arrived.get(20, TimeUnit.SECONDS).starts()).isEmpty();
      assertThat(rounds).hasSize(expected).last().isEqualTo(expected - 1);
      assertThat(ram.sent).isEqualTo(expected + 1);
      assertThat(report.roundPages()).hasSize(expected + 1);
    }
  }

  /** A page is written again whenever one was sent. */
  private static final class BusyRam implements RamSource {
    private final RamSource ram;
    private int sent;

    BusyRam(RamSource ram) {
      this.ram = ram;
    }

    @Override
    public MemoryTable table() {
      return ram.table();
    }

    @Override
    public void begin() {
      ram.begin();
    }

    @Override
    public DirtyBitmap dirty() {
      return ram.dirty();
    }

    @Override
    public long sendDirty(PageSink sink) {
      long pages = ram.sendDirty(sink);
      sent++;
      ram.dirty().mark(0x4000, 1);
      return pages;
    }

    @Override
    public void tableChanged() {
      ram.tableChanged();
    }

    @Override
    public void end() {
      ram.end();
    }
  }

  private record AnyVm() implements VmControl {
    @Override
    public void pause() {}

    @Override
    public void resume() {}
  }
}
