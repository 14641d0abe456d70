package io.github.jvhost.vhost.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class RarpTest {
  @Test
  void theFrameIsABroadcastOfTheStation() {
    byte[] mac = {0x52, 0x54, 0, 1, 2, 3};

    assertThat(HexFormat.of().formatHex(Rarp.frame(mac)))
        .startsWith(
            "ffffffffffff"
                + "525400010203"
                + "8035" // to all, from the station, RARP
                + "0001"
                + "0800"
                + "06"
                + "04"
                + "0003" // Ethernet, IPv4, request reverse
                + "525400010203"
                + "00000000"
                + "525400010203"
                + "00000000")
        .hasSize(2 * 60);
  }
}
