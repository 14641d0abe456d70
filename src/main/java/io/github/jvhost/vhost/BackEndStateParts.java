package io.github.jvhost.vhost;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.NetState;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * Converts a back end's own state between chunks, as a saved device has it, and one piece, as a
 * back end writes and reads it.
 */
final class BackEndStateParts {
  private BackEndStateParts() {}

  /** Cuts a state into chunks of the largest size. */
  static List<Bytes> of(byte[] state) {
    List<Bytes> chunks = new ArrayList<>();
    for (int at = 0; at < state.length; at += NetState.MAX_CHUNK) {
      int size = Math.min(NetState.MAX_CHUNK, state.length - at);
      chunks.add(Bytes.copyOf(ByteBuffer.wrap(state, at, size)));
    }
    return chunks;
  }

  /** Reads the chunks as one piece. They are joined first, because there may be many small ones. */
  static ReadableByteChannel channel(List<Bytes> chunks) {
    var all = new ByteArrayOutputStream(chunks.stream().mapToInt(Bytes::size).sum());
    for (Bytes chunk : chunks) {
      all.writeBytes(chunk.toArray());
    }
    return Channels.newChannel(new ByteArrayInputStream(all.toByteArray()));
  }
}
