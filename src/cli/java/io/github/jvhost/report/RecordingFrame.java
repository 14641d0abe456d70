package io.github.jvhost.report;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Checks how a flight recording is put together. The JDK's reader trusts that: where a size is
 * wrong it may go round for ever.
 *
 * <pre>
 *   chunk   header | event | event | ... | constant pools | metadata      one after the other
 *                                           '--&gt; the pools before, and so on
 * </pre>
 */
final class RecordingFrame {
  private static final int MAGIC = 0x464c5200; // "FLR" and a zero
  private static final int SIZE_AT = 8;
  private static final int POOLS_AT = 16;
  private static final int METADATA_AT = 24;
  private static final int STATE_AT = 64;
  private static final int HEADER = 68;
  private static final long POOLS_TYPE = 1;

  private final ByteBuffer bytes;

  private RecordingFrame(ByteBuffer bytes) {
    this.bytes = bytes;
  }

  /**
   * Checks a file.
   *
   * @param file of less than 2 GiB, which nobody changes meanwhile
   * @throws VhostException (GIVE_UP) when it is not put together as a recording is
   * @throws IndexOutOfBoundsException when it ends in a header
   * @throws java.nio.BufferUnderflowException when it ends in an event
   */
  static void check(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      var frame = new RecordingFrame(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
      int at = 0;
      do {
        at = frame.chunk(at);
      } while (at < frame.bytes.limit());
    }
  }

  /** Checks a chunk, and returns where it ends. */
  private int chunk(int start) {
    require(bytes.getInt(start) == MAGIC, "no chunk begins", start);
    if (bytes.get(start + STATE_AT) != 0) {
      throw new VhostException(
          "this recording is not finished; 'jcmd PID JFR.dump filename=FILE' writes one that is",
          Recovery.GIVE_UP);
    }
    long size = bytes.getLong(start + SIZE_AT);
    if (size > bytes.limit() - start) {
      throw new VhostException(
          "this recording was cut off after %d bytes; copy or write it again"
              .formatted(bytes.limit()),
          Recovery.GIVE_UP);
    }
    require(size > HEADER, "a chunk has no size", start);
    int end = (int) (start + size);
    long metadata = bytes.getLong(start + METADATA_AT);
    require(metadata >= HEADER && metadata < size, "no metadata", start);
    events(start + HEADER, end);
    pools(start, end);
    return end;
  }

  private void events(int from, int end) {
    for (int at = from; at < end; ) {
      bytes.position(at);
      long size = number();
      require(size > 0 && size <= end - at, "an event has no size", at);
      at += (int) size;
    }
  }

  /** Each leads to one that was written before it. */
  private void pools(int start, int end) {
    long at = start + bytes.getLong(start + POOLS_AT);
    long back;
    do {
      require(at >= start + HEADER && at < end, "no constant pools", start);
      bytes.position((int) at);
      number(); // its size
      require(number() == POOLS_TYPE, "other constant pools", at);
      number(); // when it was written
      number(); // how long that took
      back = number();
      require(back <= 0, "constant pools in a circle", at);
      at += back;
    } while (back != 0);
  }

  /** Reads a number: seven bits in a byte, from the lowest, and all eight in a ninth byte. */
  private long number() {
    long number = 0;
    for (int shift = 0; shift < 56; shift += 7) {
      byte next = bytes.get();
      number |= (next & 0x7FL) << shift;
      if (next >= 0) {
        return number;
      }
    }
    return number | (bytes.get() & 0xFFL) << 56;
  }

  private static void require(boolean right, String wrong, long at) {
    if (!right) {
      throw new VhostException(
          "this recording is broken (%s at byte %d); copy or write it again".formatted(wrong, at),
          Recovery.GIVE_UP);
    }
  }
}
