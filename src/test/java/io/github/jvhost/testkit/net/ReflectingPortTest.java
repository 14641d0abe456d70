package io.github.jvhost.testkit.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The mirror of the mock back end. */
class ReflectingPortTest {
  private final ReflectingPort port = new ReflectingPort("mirror", 2);

  private static byte[] frame(int seed) {
    byte[] frame = new byte[Packet.MINIMUM_FRAME];
    for (int i = 0; i < frame.length; i++) {
      frame[i] = (byte) (seed + i);
    }
    return frame;
  }

  @Test
  void aFrameComesBackToItsSender() {
    byte[] sent = frame(3);
    byte[] untouched = sent.clone();

    port.transmit(sent);
    byte[] back = Objects.requireNonNull(port.poll());

    assertThat(back).hasSameSizeAs(sent);
    for (int i = 0; i < sent.length; i++) {
      int from = i < 6 ? i + 6 : i < 12 ? i - 6 : i;
      assertThat(back[i]).as("byte %d", i).isEqualTo(sent[from]);
    }
    assertThat(sent).isEqualTo(untouched);
    assertThat(port.poll()).isNull();
    assertThat(port.delivered()).isOne();
    assertThat(port.dropped()).isZero();
  }

  @Test
  void itHoldsSoManyAndDropsMore() {
    port.transmit(frame(1));
    port.transmit(frame(2));
    port.transmit(frame(3));
    port.transmit(new byte[Packet.ETHERNET_HEADER - 1]);

    assertThat(port.dropped()).isEqualTo(2);
    assertThat(port.poll()).startsWith(7);
    assertThat(port.poll()).startsWith(8);
    assertThat(port.poll()).isNull();
  }

  @Test
  void itSaysWhenSomethingIsThere() {
    AtomicInteger woken = new AtomicInteger();
    port.transmit(frame(1));

    port.onFrame(woken::incrementAndGet);
    assertThat(woken).as("what waits already").hasValue(1);

    port.transmit(frame(2));
    assertThat(woken).hasValue(2);
    port.transmit(frame(3));
    assertThat(woken).as("a dropped frame is none").hasValue(2);
  }

  @Test
  void closedItIsEmpty() {
    AtomicInteger woken = new AtomicInteger();
    port.transmit(frame(1));
    port.close();

    port.onFrame(woken::incrementAndGet);
    port.transmit(frame(2));

    assertThat(port.poll()).isNull();
    assertThat(woken).hasValue(0);
    assertThat(port.dropped()).isOne();
  }

  @Test
  void itNeedsRoom() {
    assertThatIllegalArgumentException().isThrownBy(() -> new ReflectingPort("mirror", 0));
  }
}
