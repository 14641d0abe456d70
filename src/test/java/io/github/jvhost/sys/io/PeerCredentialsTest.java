package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.SystemCallException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class PeerCredentialsTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @Test
  void theOtherEndIsThisProcess() throws Exception {
    try (var pair = SocketPair.open(ledger, "pair")) {
      PeerCredentials peer = PeerCredentials.of(pair.one().number());

      assertThat(peer.process()).isEqualTo((int) ProcessHandle.current().pid());
      Path self = Path.of("/proc/self");
      assertThat(peer.user()).isEqualTo(Files.getAttribute(self, "unix:uid"));
      assertThat(peer.group()).isEqualTo(Files.getAttribute(self, "unix:gid"));
    }
  }

  @Test
  void aFileHasNoOtherEnd() {
    try (var file = MemoryFile.create(ledger, "file", 4096)) {
      assertThatThrownBy(() -> PeerCredentials.of(file.descriptor().number()))
          .isInstanceOf(SystemCallException.class)
          .hasMessageContaining("ENOTSOCK");
    }
  }
}
