package io.github.jvhost.testkit.ovs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import org.junit.jupiter.api.Test;

class FramesTest {
  private static final String SHOWN =
      """
      netdev@ovs-netdev:
        lookups: hit:9 missed:1 lost:0
        port 1: br (tap)
          RX packets:1 errors:0 dropped:0 overruns:0 frame:0
          TX packets:2 errors:0 dropped:0 aborted:0 carrier:0
        port 2: port10 (dpdkvhostuserclient: configured_rx_queues=1)
          RX packets:3 errors:0 dropped:0 overruns:? frame:?
          TX packets:4 errors:0 dropped:0 aborted:? carrier:?
        port 3: port1 (dpdkvhostuserclient: configured_rx_queues=1)
          RX packets:57 errors:0 dropped:0 overruns:? frame:?
          TX packets:58 errors:0 dropped:0 aborted:? carrier:?
      """;

  @Test
  void takesThePortsOwnLines() {
    assertThat(Frames.parse(SHOWN, "port1")).isEqualTo(new Frames(57, 58));
    assertThat(Frames.parse(SHOWN, "port10")).isEqualTo(new Frames(3, 4));
  }

  @Test
  void saysWhatItReadWhereThePortIsMissing() {
    assertThatThrownBy(() -> Frames.parse(SHOWN, "port2"))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("reading the counters of port2: netdev@ovs-netdev: | ")
        .hasMessageNotContaining("\n");
  }
}
