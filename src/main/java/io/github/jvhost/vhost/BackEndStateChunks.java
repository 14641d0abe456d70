package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * A back end's state inside a stream of other things, whose length nobody knows beforehand. The
 * framing is the one in which QEMU carries such a state; big-endian.
 *
 * <pre>
 *    0         4            4 + n
 *   +---------+------------+---------+-------- ... --+---------+
 *   | n       | n bytes    | n'      | n' bytes      | 0       |     1 &lt;= n &lt;= 1 MiB; 0 is the end
 *   +---------+------------+---------+-------- ... --+---------+
 * </pre>
 *
 * <p>Both directions are for one thread, pass on what the stream below throws, and expect it to be
 * in blocking mode.
 */
public final class BackEndStateChunks {
  /** The most bytes of one chunk. */
  public static final int MAX_CHUNK = 1 << 20;

  private BackEndStateChunks() {}

  /**
   * {@return a channel that frames what is written to it} Its close writes the end mark and leaves
   * the stream open.
   *
   * @param out stays the caller's
   */
  public static WritableByteChannel encoder(WritableByteChannel out) {
    return new Encoder(out);
  }

  /**
   * {@return the content of the frames, up to the end mark and not a byte further} Closing it
   * leaves the stream open.
   *
   * <p>Reading throws a {@link VhostException} (GIVE_UP) when a chunk is too long, or the stream
   * ends before the end mark.
   *
   * @param in stays the caller's
   */
  public static ReadableByteChannel decoder(ReadableByteChannel in) {
    return new Decoder(in);
  }

  private static final class Encoder implements WritableByteChannel {
    private final WritableByteChannel out;
    private final ByteBuffer length = ByteBuffer.allocate(Integer.BYTES);
    private boolean open = true;

    Encoder(WritableByteChannel out) {
      this.out = out;
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
      if (!open) {
        throw new IllegalStateException("the end of the state is written already");
      }
      int count = Math.min(bytes.remaining(), MAX_CHUNK);
      if (count == 0) {
        return 0; // an empty chunk is the end mark
      }
      writeLength(count);
      ByteBuffer chunk = bytes.slice(bytes.position(), count);
      writeFully(chunk);
      bytes.position(bytes.position() + count);
      return count;
    }

    private void writeLength(int value) throws IOException {
      length.clear().putInt(value).flip();
      writeFully(length);
    }

    private void writeFully(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
    }

    @Override
    public boolean isOpen() {
      return open;
    }

    @Override
    public void close() throws IOException {
      if (open) {
        open = false;
        writeLength(0);
      }
    }
  }

  private static final class Decoder implements ReadableByteChannel {
    private static final int END = -1;

    private final ReadableByteChannel in;
    private final ByteBuffer length = ByteBuffer.allocate(Integer.BYTES);
    private boolean open = true;

    /** Bytes of the current chunk that are still to be read, or {@link #END}. */
    private int left;

    Decoder(ReadableByteChannel in) {
      this.in = in;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
      if (!open) {
        throw new IllegalStateException("the state is closed");
      }
      if (left == 0) {
        left = nextLength();
      }
      if (left == END) {
        return -1;
      }
      ByteBuffer part = into.slice(into.position(), Math.min(left, into.remaining()));
      int count = in.read(part);
      if (count < 0) {
        throw broken("the stream ended, " + left + " bytes before the end of a chunk");
      }
      into.position(into.position() + count);
      left -= count;
      return count;
    }

    private int nextLength() throws IOException {
      length.clear();
      while (length.hasRemaining()) {
        if (in.read(length) < 0) {
          throw broken("the stream ended before the end mark");
        }
      }
      int value = length.flip().getInt();
      if (value < 0 || value > MAX_CHUNK) {
        throw broken("a chunk of " + Integer.toUnsignedString(value) + " bytes, at most 1 MiB");
      }
      return value == 0 ? END : value;
    }

    private static VhostException broken(String what) {
      return new VhostException("reading a back end's state: " + what, Recovery.GIVE_UP);
    }

    @Override
    public boolean isOpen() {
      return open;
    }

    @Override
    public void close() {
      open = false;
    }
  }
}
