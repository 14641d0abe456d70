package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.dpdk.VirtioUser;
import io.github.jvhost.testkit.ovs.OpenVswitch;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.testkit.qemu.StorageDaemon;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/**
 * What a program could not take is refused where it is said, whether the program is there or not.
 */
class LauncherLimitsTest {
  private static final List<Consumer<Path>> SOCKETS =
      List.of(
          path -> Testpmd.builder().port(path),
          path -> VirtioUser.builder().port(path),
          path -> OpenVswitch.builder().port(path),
          path -> StorageDaemon.builder(Path.of("/disk"), path));

  @Test
  void aSocketsPathHasAtMost107Bytes() {
    for (Consumer<Path> taking : SOCKETS) {
      taking.accept(Path.of("/" + "s".repeat(106)));
      assertThatThrownBy(() -> taking.accept(Path.of("/" + "s".repeat(107))))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("107 bytes");
      // 61 characters, and two bytes for each but the first.
      String wide = "/" + "\u00fc".repeat(60);
      assertThatThrownBy(() -> taking.accept(Path.of(wide)))
          .as("bytes count, not characters")
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("107 bytes");
    }
  }

  @Test
  void qemuTakesOneToEightQueuePairs() {
    var builder = QemuSystem.builder(Path.of("/back-end"), Path.of("/monitor"));

    assertThat(builder.queuePairs(8)).isSameAs(builder);
    for (int pairs : new int[] {0, 9}) {
      assertThatThrownBy(() -> builder.queuePairs(pairs))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("queue pairs are 1 to 8, not " + pairs);
    }
  }
}
