package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** JVMs are started and receive their migrations; how long that takes is not looked at. */
class ColdStartBenchTest {
  @Test
  @Timeout(120)
  void aFreshJvmReceivesAllItsMigrations() {
    BenchRow row = new ColdStartBench().run(new Effort(0, 1)).getFirst();

    assertThat(row.measured()).isInstanceOf(Measured.Timed.class);
    assertThat(row.measured().describe()).endsWith("1 JVMs");
  }
}
