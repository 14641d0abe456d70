package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Bytes in, replies out, in the order in which they were asked for.
 *
 * <pre>
 *   queued --(its segment is about to be written)--&gt; outstanding --(a reply fits)--&gt; ready
 *
 *   in buffer, 8 KiB      0                     tail
 *                         | part of one reply   | free: one read goes here |
 * </pre>
 *
 * <p>A read that may carry descriptors stops at the end of the header or of the payload, because
 * the socket does not say which byte they came with. Reads that cannot (no outstanding request has
 * an answer with descriptors: nearly always) take all that is there.
 */
final class ReplyReader {
  private static final int CAPACITY = 2 * (Header.SIZE + Header.MAX_PAYLOAD);

  /** What will be answered: by which id and in which layout. */
  private record Expected(FrontEndRequest request, int id, PayloadKind layout) {}

  private final ByteBuffer bytes = ByteBuffer.allocateDirect(CAPACITY);
  private final ByteBuf view = Unpooled.wrappedBuffer(bytes.duplicate());
  private final ArrayDeque<Expected> queued = new ArrayDeque<>();
  private final ArrayDeque<Expected> outstanding = new ArrayDeque<>();
  private final ArrayDeque<Reply> ready = new ArrayDeque<>();
  private final List<OwnedDescriptor> arrived = new ArrayList<>();
  private int outstandingWithDescriptors;
  private int tail;

  /** A request is encoded that will be answered. */
  void queue(FrontEndRequest request, int id, PayloadKind layout) {
    queued.add(new Expected(request, id, layout));
  }

  /**
   * The requests queued so far are about to be written: from now on an answer is one that somebody
   * asked for.
   */
  void queuedAreSent() {
    for (Expected expected = queued.poll(); expected != null; expected = queued.poll()) {
      outstanding.add(expected);
      if (expected.request.maxReplyDescriptors() > 0) {
        outstandingWithDescriptors++;
      }
    }
  }

  /** Replies that were asked for and not handed out. */
  int pending() {
    return queued.size() + outstanding.size() + ready.size();
  }

  boolean hasReady() {
    return !ready.isEmpty();
  }

  @Nullable Reply poll() {
    return ready.poll();
  }

  /** The oldest request without an answer, for messages. */
  String awaited() {
    Expected next = outstanding.peek();
    return next == null ? "nothing" : next.request.name();
  }

  boolean awaitsAny() {
    return !outstanding.isEmpty();
  }

  /** Bytes of an unfinished reply, for messages. */
  int unfinished() {
    return tail;
  }

  /**
   * Reads once and matches every reply that is complete.
   *
   * @return false at the end of the stream
   * @throws ProtocolException if anything does not fit; what fitted before stays ready
   */
  boolean readOnce(SocketStream stream) throws IOException {
    boolean startsMessage = tail == 0;
    bytes.limit(outstandingWithDescriptors > 0 ? endOfPart() : CAPACITY).position(tail);
    int before = arrived.size();
    int count = stream.read(bytes, arrived);
    if (arrived.size() > before) {
      requireExpectedDescriptors(startsMessage);
    }
    if (count > 0) {
      tail += count;
      match();
    }
    return count >= 0;
  }

  /** Where the header ends while it is not complete, else where its payload does. */
  private int endOfPart() {
    return tail < Header.SIZE ? Header.SIZE : Header.SIZE + headerAt(0).size();
  }

  private Header headerAt(int position) {
    return Header.decode(view.setIndex(position, tail));
  }

  private void requireExpectedDescriptors(boolean startsMessage) {
    Expected next = outstanding.peek();
    int most = next == null ? 0 : next.request.maxReplyDescriptors();
    if (!startsMessage) {
      throw new ProtocolException("descriptors in the middle of the reply to " + awaited());
    }
    if (arrived.size() > most) {
      throw new ProtocolException(
          arrived.size() + " descriptors with the reply to " + awaited() + ", at most " + most);
    }
  }

  private Expected askedFor(Header header) {
    Expected expected = outstanding.peek();
    if (expected == null) {
      throw new ProtocolException(
          "message "
              + Integer.toUnsignedString(header.request())
              + ", and no reply is outstanding");
    }
    if (header.request() != expected.id) {
      throw new ProtocolException(
          "a reply to message "
              + Integer.toUnsignedString(header.request())
              + ", expected one to "
              + expected.request
              + " ("
              + expected.id
              + ")");
    }
    if (header.flags() != Header.REPLY_FLAGS) {
      throw new ProtocolException(
          "the reply to "
              + expected.request
              + " has flags 0x"
              + Integer.toHexString(header.flags())
              + ", expected 0x5");
    }
    if (!expected.layout.accepts(header.size())) {
      throw new ProtocolException(
          "the reply to "
              + expected.request
              + " has "
              + header.size()
              + " bytes, expected "
              + expected.layout.minSize()
              + (expected.layout.minSize() == expected.layout.maxSize()
                  ? ""
                  : " to " + expected.layout.maxSize()));
    }
    return expected;
  }

  private void match() {
    int head = 0;
    while (tail - head >= Header.SIZE) {
      Header header = headerAt(head);
      Expected expected = askedFor(header);
      if (tail - head < Header.SIZE + header.size()) {
        break;
      }
      head += Header.SIZE + header.size();
      Payload payload = expected.layout.decode(view, header.size());
      outstanding.remove();
      if (expected.request.maxReplyDescriptors() > 0) {
        outstandingWithDescriptors--;
      }
      ready.add(new Reply(expected.request, payload, List.copyOf(arrived)));
      arrived.clear();
    }
    bytes.limit(tail).position(head);
    bytes.compact();
    tail -= head;
  }

  /** Closes the descriptors of a reply that will never be complete. */
  void closeUnfinished() {
    arrived.forEach(OwnedDescriptor::close);
    arrived.clear();
  }

  /** Closes every descriptor that nobody has received. */
  void closeAll() {
    closeUnfinished();
    for (Reply reply = ready.poll(); reply != null; reply = ready.poll()) {
      reply.descriptors().forEach(OwnedDescriptor::close);
    }
  }
}
