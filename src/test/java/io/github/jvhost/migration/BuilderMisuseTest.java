package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.Links;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What makes no sense is refused where it is said, and not by a stack trace later on. */
class BuilderMisuseTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @TempDir private Path dir;

  @Test
  @SuppressWarnings("NullAway") // a caller whose compiler checks nothing
  void nullIsRefusedAtTheCall() {
    var source = MigrationSource.builder(ledger);
    var destination = MigrationDestination.builder();

    refused(() -> MigrationSource.builder(null), "builder(...) of a migration's source");
    refused(() -> source.devices(null), "devices(...) of a migration");
    refused(() -> source.options(null), "options(...) of a migration");
    refused(() -> source.listener(null), "listener(...) of a migration");
    refused(() -> destination.devices(null), "devices(...) of a migration");
    refused(() -> destination.options(null), "options(...) of a migration");
    refused(() -> destination.listener(null), "listener(...) of a migration");
    refused(() -> destination.presetup(null), "presetup(...) of a migration: OFF for none");
  }

  private static void refused(ThrowingCallable call, String why) {
    assertThatThrownBy(call).isInstanceOf(NullPointerException.class).hasMessageContaining(why);
  }

  @Test
  @SuppressWarnings("NullAway") // a caller whose compiler checks nothing
  void whatASourceIsAskedForOutOfTurn() throws Exception {
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        Links links = Links.connect(dir.resolve("s"))) {
      MigrationSource source =
          MigrationSource.builder(ledger)
              .ram(new PreCopySource(memory, 1 << 20, Runnable::run))
              .vm(new NoVm())
              .link(links.source())
              .build();

      refused(() -> source.cancel(null), "needs a reason");
      assertThatThrownBy(source::memoryAdded)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("while the migration runs");
    }
  }

  @Test
  void bothEndsRefuseALinkThatIsGivenUpBeforePresetup() throws Exception {
    MigrationOptions hasty = MigrationOptions.defaults().linkWithin(Duration.ofSeconds(4));
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        Links links = Links.connect(dir.resolve("s"))) {
      var source =
          MigrationSource.builder(ledger)
              .ram(new PreCopySource(memory, 1 << 20, Runnable::run))
              .vm(new NoVm())
              .link(links.source())
              .options(hasty);
      var destination =
          MigrationDestination.builder()
              .ram(new InPlaceTarget(memory))
              .vm(new NoVm())
              .link(links.destination())
              .options(hasty);

      assertThatThrownBy(source::build)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("shorter than presetupWithin");
      assertThatThrownBy(destination::build)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("shorter than presetupWithin");
    }
  }

  @Test
  void aReportIsNotWhatItWasMadeOf() {
    List<Long> rounds = new ArrayList<>(List.of(7L));
    List<String> notes = new ArrayList<>();

    var report = new SourceReport(notes, false, List.of(), 1, rounds, 0, 0, 0, 0, 0);
    rounds.clear();
    notes.add("net0: refused");

    assertThat(report.roundPages()).containsExactly(7L);
    assertThat(report.presetupNotes()).isEmpty();
  }

  private record NoVm() implements VmControl {
    @Override
    public void pause() {
      throw new IllegalStateException("nobody migrates");
    }

    @Override
    public void resume() {
      throw new IllegalStateException("nobody migrates");
    }
  }
}
