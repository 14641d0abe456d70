package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Streams that somebody tampered with: they are read, or refused in the one way. */
class StreamFuzzTest {
  /** A stream is a hundred times what a message is. */
  private static final int CASES =
      Math.max(100, Integer.getInteger("jvhost.fuzz.cases", 5000) / 10);

  @Test
  void aWholeStream() {
    byte[] whole = StreamBytes.whole().toArray();
    long seed = 20261124;
    SplittableRandom random = new SplittableRandom(seed);
    int read = 0;
    for (int i = 0; i < CASES; i++) {
      byte[] wrong = tamperedWith(whole, random);
      try {
        read += StreamReading.failure(wrong) == null ? 1 : 0;
      } catch (Throwable e) {
        throw new AssertionError("seed " + seed + ", case " + i, e);
      }
    }
    // Much of a stream is a page of memory, and values that may be anything.
    assertThat(read).isBetween(1, CASES - 1);
  }

  private static byte[] tamperedWith(byte[] whole, SplittableRandom random) {
    byte[] wrong = whole.clone();
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      int at = random.nextInt(wrong.length);
      switch (random.nextInt(5)) {
        case 0 -> wrong[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> wrong[at] = (byte) random.nextInt();
        case 2 -> wrong = Arrays.copyOf(wrong, Math.max(1, at));
        case 3 -> {
          int to = random.nextInt(wrong.length);
          int length = random.nextInt(Math.min(64, wrong.length - Math.max(at, to)) + 1);
          System.arraycopy(wrong, at, wrong, to, length);
        }
        default -> {
          byte[] longer = Arrays.copyOf(wrong, wrong.length + 16);
          System.arraycopy(wrong, at, longer, Math.min(at + 16, wrong.length), wrong.length - at);
          wrong = Arrays.copyOf(longer, wrong.length + random.nextInt(17));
        }
      }
    }
    return wrong;
  }

  @Test
  void aDescription() {
    String json =
        StreamDescription.find(ByteBuffer.wrap(StreamBytes.whole().toArray())).orElseThrow();
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < CASES; i++) {
      byte[] wrong = tamperedWith(json.getBytes(StandardCharsets.UTF_8), random);
      String text = new String(wrong, StandardCharsets.UTF_8);
      try {
        StreamDescription.parse(text);
      } catch (IOException e) {
        assertThat(e.getMessage()).isNotEmpty();
      }
      try {
        DescribedSection.corrected(text, List.of());
      } catch (VmStateException e) {
        assertThat(e.section()).isEqualTo("description");
      }
    }
  }
}
