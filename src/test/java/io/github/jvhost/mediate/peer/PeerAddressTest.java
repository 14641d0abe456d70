package io.github.jvhost.mediate.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PeerAddressTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "/run/mediate/peer",
        "listen:/run/mediate/peer",
        "tcp:127.0.0.1:7000",
        "tcp:[::1]:65535",
        "listen:tcp:127.0.0.1:0",
        "listen:tcp:[::1]:7000"
      })
  void whatIsWrittenIsWhatIsPrinted(String text) {
    assertThat(PeerAddress.parse(text)).hasToString(text);
  }

  @Test
  void theKindOfSocketIsAValue() {
    assertThat(PeerAddress.parse("listen:p"))
        .isEqualTo(new PeerAddress(true, new PeerAddress.Local(Path.of("p"))));
    assertThat(PeerAddress.parse("tcp:[::1]:5"))
        .isEqualTo(new PeerAddress(false, new PeerAddress.Port(true, 5)));
  }

  @ParameterizedTest
  @CsvSource({
    "tcp:192.0.2.1:7000, ssh",
    "tcp:0.0.0.0:7000, ssh",
    "tcp:localhost:7000, only 127.0.0.1",
    "tcp:127.0.0.1, port",
    "tcp:127.0.0.1:, port",
    "tcp:127.0.0.1:0, port",
    "tcp:127.0.0.1:65536, port",
    "tcp:127.0.0.1:+7, port",
    "listen:, path",
    "'', path"
  })
  void everythingElseIsRefusedWithAReason(String text, String reason) {
    assertThatThrownBy(() -> PeerAddress.parse(text))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(reason);
  }

  @Test
  void aPathThatFitsIntoNoSocketAddressIsRefused() {
    assertThatThrownBy(() -> PeerAddress.parse("/" + "p".repeat(107)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("107 bytes");
  }
}
