package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** How much room there is for a guest. */
class AvailableMemoryTest {
  @Test
  void availableMemoryIsWhatTheKernelSays() {
    assertThat(AvailableMemory.of(List.of("MemTotal: 9 kB", "MemAvailable:     123 kB")))
        .hasValue(123 << 10);
    assertThat(AvailableMemory.of(List.of("MemAvailable: much", "MemFree: 7 kB"))).isEmpty();
  }
}
