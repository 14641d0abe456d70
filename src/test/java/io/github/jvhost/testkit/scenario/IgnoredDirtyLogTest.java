package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.PageSink;
import io.github.jvhost.migration.RamSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a migration is worth that does not look at the back ends' dirty logs: nothing. */
@Timeout(60)
class IgnoredDirtyLogTest {
  /** Has the back ends' logs merged into a bitmap that nobody reads. */
  private record Deaf(RamSource ram, DirtyBitmap wasted) implements RamSource {
    Deaf(RamSource ram) {
      this(ram, new DirtyBitmap(ram.dirty().highestAddress()));
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
      return wasted;
    }

    @Override
    public long sendDirty(PageSink sink) {
      return ram.sendDirty(sink);
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

  @Test
  void damagesTheGuest() {
    var scenario = new MigrationScenario(Runs.options(Variant.EXPLICIT), (_, _) -> {}, Deaf::new);
    RunResult result = scenario.run();

    assertThat(result.ranOn()).isEqualTo("destination");
    assertThat(result.checksumOk()).isFalse();
    assertThat(result.problems()).isNotEmpty();
    assertThat(scenario.openDescriptors()).isZero();
  }
}
