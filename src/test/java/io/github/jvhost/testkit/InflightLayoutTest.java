package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

/** In-flight regions byte by byte, as the specification suggests them and C back ends have them. */
class InflightLayoutTest {
  @Test
  void aPackedRingsPositionIsIndexAndWrapCounter() {
    InflightLayout layout = new InflightLayout(true, 2, 4);
    MemorySegment all = MemorySegment.ofArray(new byte[(int) layout.bytes()]);

    layout.write(all, 1, 4, 0x8003);

    assertThat(layout.bytesPerQueue()).as("32 + 4 * 32, rounded up to 64").isEqualTo(192);
    assertThat(layout.isUsed(all, 0)).isFalse();
    assertThat(layout.isUsed(all, 1)).isTrue();
    assertThat(layout.position(all, 1)).isEqualTo(0x8003);
    assertThat(number(all, 192 + 8)).as("version").isEqualTo(1);
    assertThat(number(all, 192 + 10)).as("entries").isEqualTo(4);
    assertThat(number(all, 192 + 16)).as("used index").isEqualTo(3);
    assertThat(number(all, 192 + 18)).as("old used index").isEqualTo(3);
    assertThat(number(all, 192 + 20)).as("both wrap counters").isEqualTo(0x0101);
  }

  @Test
  void aSplitRingsPositionIsItsUsedIndex() {
    InflightLayout layout = new InflightLayout(false, 1, 8);
    MemorySegment all = MemorySegment.ofArray(new byte[(int) layout.bytes()]);

    layout.write(all, 0, 8, 0xfffe);

    assertThat(layout.bytesPerQueue()).as("16 + 8 * 16, rounded up to 64").isEqualTo(192);
    assertThat(layout.position(all, 0)).isEqualTo(0xfffe);
    assertThat(number(all, 14)).isEqualTo(0xfffe);
  }

  @Test
  void whatIsInFlightIsCounted() {
    for (boolean packed : new boolean[] {false, true}) {
      InflightLayout layout = new InflightLayout(packed, 1, 8);
      MemorySegment all = MemorySegment.ofArray(new byte[(int) layout.bytes()]);
      int first = packed ? 32 : 16;
      int entry = packed ? 32 : 16;

      all.set(ValueLayout.JAVA_BYTE, first, (byte) 1);
      all.set(ValueLayout.JAVA_BYTE, first + 7L * entry, (byte) 1);

      assertThat(layout.inFlight(all, 0)).isEqualTo(2);
    }
  }

  private static int number(MemorySegment all, long at) {
    return all.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.nativeOrder()), at)
        & 0xffff;
  }
}
