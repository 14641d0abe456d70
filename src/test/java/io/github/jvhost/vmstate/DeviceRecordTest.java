package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class DeviceRecordTest {
  private static final DeviceRecord RECORD =
      new DeviceRecord("net0", DeviceRecord.Kind.EARLY, 258, Bytes.copyOf(new byte[] {1, 2, 3}));

  @Test
  void theBytes() {
    assertThat(HexFormat.of().formatHex(RECORD.encode()))
        .isEqualTo(
            "4a564452" + "01" + "01" + "04" + "00000102" + "00000003" + "6e657430" + "010203");
    assertThat(RECORD.size()).isEqualTo(22);
  }

  @Test
  void severalInARowAndInAnyByteOrder() {
    DeviceRecord last = new DeviceRecord("gerät 1", DeviceRecord.Kind.FINAL, 0, Bytes.EMPTY);
    ByteBuffer buffer = ByteBuffer.allocate(100).order(ByteOrder.LITTLE_ENDIAN);
    RECORD.write(buffer);
    last.write(buffer);
    buffer.flip();

    assertThat(DeviceRecord.read(buffer)).isEqualTo(RECORD);
    assertThat(DeviceRecord.read(buffer)).isEqualTo(last);
    assertThat(buffer.hasRemaining()).isFalse();
    assertThat(buffer.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void theBodyIsItsOwn() {
    byte[] whole = RECORD.encode();
    DeviceRecord read = DeviceRecord.read(ByteBuffer.wrap(whole));
    whole[whole.length - 1] = 9;
    read.body().toArray()[1] = 9;

    assertThat(read.body().toArray()).containsExactly(1, 2, 3);
  }

  @Test
  void anEarlyEndAtAnyByte() {
    byte[] whole = RECORD.encode();
    for (int length = 0; length < whole.length; length++) {
      ByteBuffer cut = ByteBuffer.wrap(Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> DeviceRecord.read(cut))
          .as("length %d", length)
          .isInstanceOf(VmStateException.class);
      assertThat(cut.position()).isZero();
    }
  }

  @Test
  void anyBitTurnedOverAndNoise() {
    byte[] whole = RECORD.encode();
    for (int bit = 0; bit < whole.length * 8; bit++) {
      byte[] wrong = whole.clone();
      wrong[bit / 8] ^= (byte) (1 << bit % 8);
      tolerate("bit " + bit, wrong);
    }
    SplittableRandom random = new SplittableRandom(5);
    for (int round = 0; round < 2000; round++) {
      byte[] noise = new byte[random.nextInt(60)];
      random.nextBytes(noise);
      System.arraycopy(whole, 0, noise, 0, Math.min(noise.length, 5));
      tolerate("seed 5, round " + round, noise);
    }
  }

  private static void tolerate(String what, byte[] bytes) {
    DeviceRecord deviceRecord;
    try {
      deviceRecord = DeviceRecord.read(ByteBuffer.wrap(bytes));
    } catch (VmStateException e) {
      return;
    }
    assertThat(DeviceRecord.read(ByteBuffer.wrap(deviceRecord.encode())))
        .as(what)
        .isEqualTo(deviceRecord);
  }

  @Test
  void lengthsOutOfAllReason() {
    byte[] whole = RECORD.encode();
    for (int length : new int[] {-1, Integer.MAX_VALUE, DeviceRecord.MAX_BODY + 1}) {
      ByteBuffer wrong = ByteBuffer.wrap(whole.clone()).putInt(11, length);
      assertThatThrownBy(() -> DeviceRecord.read(wrong.position(0)))
          .isInstanceOf(VmStateException.class)
          .hasMessageContaining("body length");
    }
    assertThatThrownBy(() -> DeviceRecord.read(ByteBuffer.wrap(whole.clone()).put(6, (byte) 0)))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("name length");
  }

  @Test
  void whatCannotBeWrittenCannotBeBuilt() {
    Bytes none = Bytes.EMPTY;
    assertThatThrownBy(() -> new DeviceRecord("", DeviceRecord.Kind.FINAL, 0, none))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DeviceRecord("x".repeat(256), DeviceRecord.Kind.FINAL, 0, none))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DeviceRecord("a\ud800b", DeviceRecord.Kind.FINAL, 0, none))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DeviceRecord("a", DeviceRecord.Kind.FINAL, -1, none))
        .isInstanceOf(IllegalArgumentException.class);
    Bytes large = Bytes.zeros(DeviceRecord.MAX_BODY + 1);
    assertThatThrownBy(() -> new DeviceRecord("a", DeviceRecord.Kind.FINAL, 0, large))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
