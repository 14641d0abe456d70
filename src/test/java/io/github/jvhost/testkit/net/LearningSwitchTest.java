package io.github.jvhost.testkit.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.virtio.MacAddress;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class LearningSwitchTest {
  private static final MacAddress A = MacAddress.parse("02:00:00:00:00:0a");
  private static final MacAddress B = MacAddress.parse("02:00:00:00:00:0b");
  private static final Ipv4Address IP = Ipv4Address.of(10, 0, 0, 1);

  private final LearningSwitch network = new LearningSwitch(4);
  private final SwitchPort one = network.attach("one");
  private final SwitchPort two = network.attach("two");
  private final SwitchPort three = network.attach("three");

  private static byte[] frame(MacAddress from, MacAddress to) {
    byte[] frame = new byte[60];
    System.arraycopy(to.bytes(), 0, frame, 0, 6);
    System.arraycopy(from.bytes(), 0, frame, 6, 6);
    frame[12] = (byte) 0x88;
    frame[13] = (byte) 0xb5;
    return frame;
  }

  @Test
  void floodsWhatIsUnknownAndForwardsWhatItLearned() {
    one.transmit(frame(A, B));
    assertThat(two.poll()).isEqualTo(frame(A, B));
    assertThat(three.poll()).isNotNull();
    assertThat(one.poll()).isNull();

    two.transmit(frame(B, A));
    assertThat(one.poll()).isNotNull();
    assertThat(three.poll()).isNull();
    assertThat(one.delivered()).isEqualTo(1);
  }

  @Test
  void aKnownStationMovesOnlyWhenItIsAnnounced() {
    one.transmit(frame(A, B));
    three.transmit(frame(A, B));
    two.transmit(frame(B, A));
    assertThat(one.poll()).as("still at its first port").isNotNull();

    // An ordinary ARP request is no announcement.
    three.transmit(Packet.Arp.request(A, IP, Ipv4Address.of(10, 0, 0, 9)).encode());
    assertThat(network.moves()).isZero();

    three.transmit(new Packet.Rarp(A).encode());
    two.transmit(frame(B, A));
    assertThat(network.moves()).isEqualTo(1);
    three.poll();
    three.poll();

    one.transmit(Packet.Arp.gratuitous(A, IP).encode());
    assertThat(network.moves()).isEqualTo(2);
  }

  @Test
  void framesForAClosedPortAreCountedThereUntilTheStationIsAnnounced() {
    one.transmit(frame(A, B));
    two.transmit(frame(B, A));
    one.close();
    assertThat(one.dropped()).as("what was in the queue").isEqualTo(1);
    two.transmit(frame(B, A));
    assertThat(one.dropped()).isEqualTo(2);
    three.transmit(frame(A, B));
    two.transmit(frame(B, A));
    assertThat(one.dropped()).as("an ordinary frame moves nobody").isEqualTo(3);
    one.transmit(frame(A, B));
    assertThat(two.poll()).isNotNull();
  }

  @Test
  void aPortOfTheSameNameTakesTheAddressesOver() {
    one.transmit(frame(A, B));
    assertThatThrownBy(() -> network.attach("one")).isInstanceOf(IllegalArgumentException.class);
    one.close();
    SwitchPort again = network.attach("one");
    two.transmit(frame(B, A));
    assertThat(again.poll()).isNotNull();
    assertThat(three.poll()).as("only the first frame was flooded").isNotNull();
    assertThat(three.poll()).isNull();
  }

  @Test
  void aFullQueueDropsAndCounts() {
    for (int i = 0; i < 6; i++) {
      one.transmit(frame(A, B));
    }
    assertThat(two.dropped()).isEqualTo(2);
    int taken = 0;
    while (two.poll() != null) {
      taken++;
    }
    assertThat(taken).isEqualTo(4);
    assertThat(two.delivered()).isEqualTo(4);
  }

  @Test
  void wakesTheStationAlsoForWhatWaitedAlready() {
    one.transmit(frame(A, B));
    AtomicInteger woken = new AtomicInteger();
    two.onFrame(woken::incrementAndGet);
    assertThat(woken).hasValue(1);
    one.transmit(frame(A, B));
    assertThat(woken).hasValue(2);
  }

  @Test
  void countsWhatIsNoFrame() {
    one.transmit(new byte[13]);
    one.transmit(frame(new MacAddress(0x0100_0000_0000L), B));
    assertThat(network.malformed()).isEqualTo(2);
    assertThat(two.poll()).isNull();
  }
}
