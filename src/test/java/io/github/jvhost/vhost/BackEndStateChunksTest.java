package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class BackEndStateChunksTest {
  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] encoded(byte[]... writes) throws IOException {
    var stream = new ByteArrayOutputStream();
    try (var chunks = BackEndStateChunks.encoder(Channels.newChannel(stream))) {
      for (byte[] write : writes) {
        ByteBuffer left = ByteBuffer.wrap(write);
        do {
          chunks.write(left);
        } while (left.hasRemaining());
      }
    }
    return stream.toByteArray();
  }

  private static ReadableByteChannel decoder(byte[] stream) {
    return BackEndStateChunks.decoder(Channels.newChannel(new ByteArrayInputStream(stream)));
  }

  private static byte[] decoded(ReadableByteChannel chunks, int step) throws IOException {
    var all = new ByteArrayOutputStream();
    ByteBuffer buffer = ByteBuffer.allocate(step);
    while (chunks.read(buffer.clear()) >= 0) {
      all.write(buffer.array(), 0, buffer.position());
    }
    return all.toByteArray();
  }

  @Test
  void lengthsAreBigEndianAndZeroIsTheEnd() throws IOException {
    assertThat(encoded()).isEqualTo(bytes(0, 0, 0, 0));
    assertThat(encoded(bytes(7, 8), bytes(), bytes(9)))
        .isEqualTo(bytes(0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9, 0, 0, 0, 0));
  }

  @Test
  void noChunkIsLongerThanAMebibyte() throws IOException {
    byte[] stream = encoded(new byte[(1 << 20) + 1]);

    assertThat(Arrays.copyOf(stream, 4)).isEqualTo(bytes(0, 0x10, 0, 0));
    assertThat(stream).hasSize(4 + (1 << 20) + 4 + 1 + 4);
  }

  @Test
  void whatWasWrittenIsRead() throws IOException {
    for (long seed = 0; seed < 200; seed++) {
      var random = new SplittableRandom(seed);
      byte[] first = new byte[random.nextInt(3_000)];
      byte[] second = new byte[random.nextInt(3_000)];
      random.nextBytes(first);
      random.nextBytes(second);
      byte[] both = Arrays.copyOf(first, first.length + second.length);
      System.arraycopy(second, 0, both, first.length, second.length);

      byte[] read = decoded(decoder(encoded(first, second)), 1 + random.nextInt(5_000));

      assertThat(read).as("seed %d", seed).isEqualTo(both);
    }
  }

  @Test
  void nothingBehindTheEndMarkIsRead() throws IOException {
    var stream = new ByteArrayInputStream(bytes(0, 0, 0, 1, 5, 0, 0, 0, 0, 99));
    ReadableByteChannel chunks = BackEndStateChunks.decoder(Channels.newChannel(stream));

    assertThat(decoded(chunks, 10)).isEqualTo(bytes(5));
    assertThat(chunks.read(ByteBuffer.allocate(1))).isEqualTo(-1);
    assertThat(stream.read()).isEqualTo(99);
  }

  @Test
  void aChunkThatIsTooLongIsRefused() {
    refuses(bytes(0, 0x10, 0, 1), "a chunk of 1048577 bytes, at most 1 MiB");
    refuses(bytes(0xff, 0xff, 0xff, 0xff), "a chunk of 4294967295 bytes, at most 1 MiB");
  }

  @Test
  void aStreamThatBreaksOffIsNoEnd() {
    refuses(bytes(), "the stream ended before the end mark");
    refuses(bytes(0, 0, 0), "the stream ended before the end mark");
    refuses(bytes(0, 0, 0, 2, 1), "the stream ended, 1 bytes before the end of a chunk");
    refuses(bytes(0, 0, 0, 1, 1), "the stream ended before the end mark");
  }

  private static void refuses(byte[] stream, String why) {
    assertThatThrownBy(() -> decoded(decoder(stream), 100))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessage("reading a back end's state: " + why);
  }

  @Test
  void nothingGoesBehindTheEndMark() throws IOException {
    var stream = new ByteArrayOutputStream();
    var chunks = BackEndStateChunks.encoder(Channels.newChannel(stream));
    chunks.close();
    chunks.close();

    assertThat(stream.size()).isEqualTo(4);
    assertThat(chunks.isOpen()).isFalse();
    assertThatThrownBy(() -> chunks.write(ByteBuffer.allocate(1)))
        .isInstanceOf(IllegalStateException.class);
  }
}
