package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one write carries: whole messages one behind the other, descriptors only for the first.
 *
 * <pre>
 *   0                                    end          32 KiB
 *   | message [descriptors] | message | ... | free    |
 * </pre>
 */
final class Segment {
  private final ByteBuffer bytes = ByteBuffer.allocateDirect(SocketStream.MAX_WRITE);
  private final ByteBuf out = Unpooled.wrappedBuffer(bytes.duplicate()).clear();
  private List<OwnedDescriptor> descriptors = List.of();
  private @Nullable FrontEndRequest first;

  /** The message that begins it; null when it is empty. */
  @Nullable FrontEndRequest first() {
    return first;
  }

  /** Whether one message more still leaves it a single write of this many bytes. */
  boolean hasRoomFor(Payload payload, int maxWrite) {
    return out.writerIndex() + Header.SIZE + payload.size() <= maxWrite;
  }

  void add(
      FrontEndRequest request,
      int id,
      Payload payload,
      List<OwnedDescriptor> travelling,
      boolean needReply) {
    if (first == null) {
      first = request;
      descriptors = List.copyOf(travelling);
    }
    int flags = needReply ? Header.VERSION | Header.NEED_REPLY : Header.VERSION;
    Header.encode(out, id, flags, payload.size());
    payload.encode(out);
  }

  /** From here on it is written, from its beginning. */
  void startWriting() {
    bytes.clear().limit(out.writerIndex());
  }

  boolean isWritten() {
    return !bytes.hasRemaining();
  }

  /** Writes once; descriptors leave with the first byte. */
  void writeTo(SocketStream stream) throws IOException {
    if (stream.write(bytes, descriptors) > 0) {
      descriptors = List.of();
    }
  }

  void clear() {
    out.clear();
    first = null;
    descriptors = List.of();
  }
}
