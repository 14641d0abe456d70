package io.github.jvhost.vhost.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said of a path or a descriptor that is something else. */
class WrongDeviceTest {
  private static final Duration ENOUGH = Duration.ofSeconds(20);

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "/dev/null, it is no vDPA device",
    "/dev/zero, it is no vDPA device",
    "/dev, 'it is a directory, and no device'",
    "/dev/vhost-vdpa-4711, there is no such device",
  })
  void thePathOfAVdpaDeviceIsSomethingElse(Path path, String why) {
    assertRefused(path, why);
  }

  @Test
  void thePathOfAVdpaDeviceIsAFile() throws IOException {
    assertRefused(Files.createFile(directory.resolve("file")), "it is no vDPA device");
  }

  private void assertRefused(Path path, String why) {
    assertThatThrownBy(() -> VhostVdpaConnection.open("net0", ledger, path, false, ENOUGH))
        .hasMessageContaining(path.toString())
        .hasMessageContaining(why)
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP));
  }

  @Test
  void theQueuesOfATapAreSomethingElse() {
    try (OwnedDescriptor eventfd = EventFd.create(ledger, "no tap").descriptor()) {
      assertThatThrownBy(() -> VhostNetConnection.toQueues("net0", ledger, List.of(eventfd)))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("eventfd no tap")
          .hasMessageContaining("the descriptor is no queue of a tap");
    }
  }
}
