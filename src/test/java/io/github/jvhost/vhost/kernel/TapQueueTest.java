package io.github.jvhost.vhost.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.NetFeature;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TapQueueTest {
  /** The lowest bit first. */
  private static final List<NetFeature> FEATURES =
      List.of(
          NetFeature.GUEST_CSUM,
          NetFeature.GUEST_TSO4,
          NetFeature.GUEST_TSO6,
          NetFeature.GUEST_ECN,
          NetFeature.GUEST_UFO,
          NetFeature.GUEST_USO4,
          NetFeature.GUEST_USO6);

  /** All that a tap of Linux 6.12 took, of all that it can be told. */
  private static final List<Integer> TAKEN =
      Arrays.stream(
              "0 1 3 5 7 b d f 11 13 15 17 1b 1d 1f 61 63 65 67 6b 6d 6f 71 73 75 77 7b 7d 7f"
                  .split(" "))
          .map(bits -> Integer.parseInt(bits, 16))
          .toList();

  /** A driver may accept any of them: the tap is told as many as it takes. */
  @Test
  void theTapIsToldTheMostThatItTakes() {
    for (int accepted = 0; accepted < 1 << FEATURES.size(); accepted++) {
      long features = 0;
      for (int bit = 0; bit < FEATURES.size(); bit++) {
        features |= (accepted >> bit & 1) != 0 ? FEATURES.get(bit).mask() : 0;
      }
      int told = (int) TapQueue.taken(features);

      int all = accepted;
      int most =
          TAKEN.stream()
              .filter(taken -> (taken & ~all) == 0)
              .reduce(0, (a, b) -> Integer.bitCount(b) > Integer.bitCount(a) ? b : a);
      assertThat(told).as("accepted 0x%x", accepted).isEqualTo(most);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "6.12.117+deb12-amd64,true",
    "6.2.0,true",
    "7.0,true",
    "6.1.0-50-cloud-amd64,false",
    "5.14.0-503.el9.x86_64,false",
    "another,false",
    "'',false"
  })
  void usoIsOfferedWhereTheKernelHasIt(String release, boolean offered) {
    long uso = NetFeature.maskOf(NetFeature.GUEST_USO4, NetFeature.GUEST_USO6, NetFeature.HOST_USO);

    assertThat(TapQueue.featuresWith(release) & uso).isEqualTo(offered ? uso : 0);
    assertThat(NetFeature.GUEST_TSO4.in(TapQueue.featuresWith(release))).isTrue();
  }
}
