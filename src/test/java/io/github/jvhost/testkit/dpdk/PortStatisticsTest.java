package io.github.jvhost.testkit.dpdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import org.junit.jupiter.api.Test;

class PortStatisticsTest {
  private static final String NIC =
      """
      show port stats all

        ######################## NIC statistics for port 0  ########################
        RX-packets: 11         RX-missed: 12         RX-bytes:  1176
        RX-errors: 13
        RX-nombuf:  14
        TX-packets: 15         TX-errors: 16         TX-bytes:  1470

        Throughput (since last show)
        Rx-pps:            0          Rx-bps:            0
        Tx-pps:            0          Tx-bps:            0
        ############################################################################

        ######################## NIC statistics for port 1  ########################
        RX-packets: 21         RX-missed: 0          RX-bytes:  0
        RX-errors: 0
        RX-nombuf:  0
        TX-packets: 18446744073709551615 TX-errors: 0          TX-bytes:  0

      """;

  // With several queues, numbers of each of them come first, under the same labels.
  private static final String FORWARD =
      """
      show fwd stats all

        ------- Forward Stats for RX Port= 0/Queue= 0 -> TX Port= 0/Queue= 0 -------
        RX-packets: 5              TX-packets: 5              TX-dropped: 99

        ---------------------- Forward statistics for port 0  ----------------------
        RX-packets: 11             RX-dropped: 12            RX-total: 23
        TX-packets: 15             TX-dropped: 17            TX-total: 32
        ----------------------------------------------------------------------------

        ---------------------- Forward statistics for port 1  ----------------------
        RX-packets: 21             RX-dropped: 0             RX-total: 21
        TX-packets: 22             TX-dropped: 3             TX-total: 25
        ----------------------------------------------------------------------------
      """;

  @Test
  void readsEveryNumberOfEveryPort() {
    assertThat(PortStatistics.parse(NIC, FORWARD))
        .containsExactly(
            new PortStatistics(0, 11, 12, 13, 14, 15, 16, 17),
            new PortStatistics(1, 21, 0, 0, 0, -1, 0, 3));
  }

  @Test
  void addsUpWhatWasDropped() {
    assertThat(PortStatistics.parse(NIC, FORWARD).getFirst().dropped()).isEqualTo(12 + 13 + 17);
  }

  @Test
  void saysWhichNumberIsMissing() {
    assertThatThrownBy(() -> PortStatistics.parse(NIC.replace("RX-nombuf", "RX-nobuf"), FORWARD))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("no RX-nombuf for port 0");
    assertThatThrownBy(() -> PortStatistics.parse(NIC, FORWARD.substring(0, FORWARD.length() / 2)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("no TX-dropped for port");
  }

  @Test
  void refusesANumberThatIsNone() {
    String tooLong = NIC.replace("RX-packets: 11 ", "RX-packets: 99999999999999999999 ");

    assertThatThrownBy(() -> PortStatistics.parse(tooLong, FORWARD))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("99999999999999999999 is no counter");
  }

  @Test
  void findsNoPortInOtherText() {
    assertThat(PortStatistics.parse("Bad arguments", "Bad arguments")).isEmpty();
  }
}
