package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class BytesTest {
  @Test
  void hexShowsAllOfItAndTextOnlyTheFirst64() {
    Bytes few = Bytes.copyOf((byte) 1, (byte) 0xfe);
    assertThat(few).hasToString("01fe");
    assertThat(few.toHex()).isEqualTo("01fe");

    assertThat(Bytes.zeros(65)).hasToString("00".repeat(64) + "... (65 bytes)");
    assertThat(Bytes.zeros(65).toHex()).isEqualTo("00".repeat(65));
  }

  @Test
  void whatItWasMadeOfMayChange() {
    byte[] source = {1, 2, 3};
    Bytes array = Bytes.copyOf(source);
    Bytes buffer = Bytes.copyOf(ByteBuffer.wrap(source, 1, 2));
    source[1] = 9;
    buffer.toArray()[0] = 9;

    assertThat(array).isEqualTo(Bytes.copyOf((byte) 1, (byte) 2, (byte) 3));
    assertThat(buffer).isEqualTo(Bytes.copyOf((byte) 2, (byte) 3));
    assertThat(array.littleEndian16(1)).isEqualTo(0x302);
  }
}
