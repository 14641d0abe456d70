package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.testkit.ClassLog;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** JVMs are started and receive their migrations; how long that takes is not looked at. */
class ColdStartBenchTest {
  /** A host that is too busy to rehearse even so many windows says nothing. */
  private static final int FEW = 4;

  @TempDir private Path dir;

  @BeforeEach
  void needsACompiler() {
    Optional<String> missing = PeerProgram.missing();
    assumeTrue(missing.isEmpty(), () -> "skipped: " + missing.orElse(""));
  }

  @Test
  @Timeout(120)
  void aFreshJvmReceivesAllItsMigrations() {
    BenchRow row = new ColdStartBench().run(new Effort(0, 1)).getFirst();

    assertThat(row.measured()).isInstanceOf(Measured.Timed.class);
    assertThat(row.measured().describe()).endsWith("1 JVMs");
  }

  /** What is loaded there is loaded while a guest is stopped. The rehearsal has to do it before. */
  @Test
  @Timeout(120)
  void theFirstWindowOfAJvmLoadsNoClass() {
    Path log = dir.resolve("classes.log");

    FreshDestination.Window window;
    try (var program = PeerProgram.build(Cores.shared())) {
      List<List<ColdStartBench.Migration>> jvms =
          new ColdStartBench().jvms(program, 1, 1, ClassLog.options(log));
      window = jvms.getFirst().getFirst().window();
    }

    assumeThat(window.rehearsed()).as("rehearsed windows").isGreaterThanOrEqualTo(FEW);
    assertThat(ClassLog.between(log, 0, window.finalNanos())).isNotEmpty();
    assertThat(ClassLog.between(log, window.finalNanos(), window.resumedNanos())).isEmpty();
  }
}
