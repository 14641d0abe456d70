package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.Links;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest may have no device: then its memory is all that moves. */
@Timeout(30)
class MemoryOnlyTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @TempDir private Path dir;

  @Test
  void aGuestWithoutDevicesMigrates() throws Exception {
    AtomicInteger paused = new AtomicInteger();
    AtomicInteger resumed = new AtomicInteger();
    try (GuestMemory here = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        GuestMemory there = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        Links links = Links.connect(dir.resolve("s"))) {
      here.putLong(0x4000, 4711);
      MigrationSource source =
          MigrationSource.builder(ledger)
              .ram(new PreCopySource(here, 1 << 20, Runnable::run))
              .vm(new CountedVm(paused, resumed))
              .link(links.source())
              .build();
      MigrationDestination destination =
          MigrationDestination.builder()
              .ram(new InPlaceTarget(there))
              .vm(new CountedVm(paused, resumed))
              .link(links.destination())
              .build();
      CompletableFuture<DestinationReport> arrived = new CompletableFuture<>();
      Thread.ofPlatform()
          .daemon()
          .start(() -> {
            try {
              arrived.complete(destination.run());
            } catch (RuntimeException e) {
              arrived.completeExceptionally(e);
            }
          });

      SourceReport report = source.run();

      assertThat(arrived.get(20, TimeUnit.SECONDS).starts()).isEmpty();
      assertThat(report.stops()).isEmpty();
      assertThat(there.getLong(0x4000)).isEqualTo(4711);
    }
    assertThat(paused).as("on the source").hasValue(1);
    assertThat(resumed).as("on the destination").hasValue(1);
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void withoutTheRestThereIsNoMigration() {
    var source = MigrationSource.builder(ledger);
    var destination = MigrationDestination.builder();

    assertThatThrownBy(source::build).hasMessage("a migration's source needs ram(...)");
    assertThatThrownBy(destination::build).hasMessage("a migration's destination needs ram(...)");
  }

  private record CountedVm(AtomicInteger paused, AtomicInteger resumed) implements VmControl {
    @Override
    public void pause() {
      paused.incrementAndGet();
    }

    @Override
    public void resume() {
      resumed.incrementAndGet();
    }
  }
}
