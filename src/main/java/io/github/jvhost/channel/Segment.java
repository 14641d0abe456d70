package io.github.jvhost.channel;

import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
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
  private final MemorySegment memory = MemorySegment.ofBuffer(bytes);
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

  /** What is written. */
  MemorySegment memory() {
    return memory;
  }

  /** How much of it, from the beginning. */
  int length() {
    return out.writerIndex();
  }

  /** What travels with the first byte. */
  List<OwnedDescriptor> descriptors() {
    return descriptors;
  }

  void clear() {
    out.clear();
    first = null;
    descriptors = List.of();
  }
}
