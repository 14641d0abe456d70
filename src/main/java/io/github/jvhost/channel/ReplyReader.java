package io.github.jvhost.channel;

import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads bytes and makes replies of them, in the order of their requests.
 *
 * <pre>
 *   outstanding --(a reply fits)--&gt; ready
 *
 *   in buffer, 8 KiB      0                     tail
 *                         | part of one reply   | free: one read goes here |
 * </pre>
 *
 * <p>If an outstanding request may be answered with descriptors, a read stops at the end of the
 * header or of the payload, because the socket does not say with which byte descriptors came.
 * Otherwise, which is nearly always, a read takes all that is there.
 */
final class ReplyReader {
  private static final int CAPACITY = 2 * (Header.SIZE + Header.MAX_PAYLOAD);

  private final ByteBuffer bytes =
      ByteBuffer.allocateDirect(CAPACITY).order(ByteOrder.nativeOrder());
  private final MemorySegment memory = MemorySegment.ofBuffer(bytes);
  private final ByteBuf view = Unpooled.wrappedBuffer(bytes.duplicate());
  private final ArrayDeque<ExpectedReply> outstanding = new ArrayDeque<>();
  private final ArrayList<ExpectedReply> beingWritten = new ArrayList<>();
  private final ArrayDeque<Reply> ready = new ArrayDeque<>();
  private final List<OwnedDescriptor> arrived = new ArrayList<>();
  private final ReplyClock clock = new ReplyClock();
  private final Consumer<Reply> uncollected;
  private final MessageEvents events;
  private int outstandingWithDescriptors;
  private int awaitedReplies;
  private int tail;

  /**
   * A reader of an empty stream.
   *
   * @param uncollected takes the replies that no caller asks for
   * @param events records replies
   */
  ReplyReader(Consumer<Reply> uncollected, MessageEvents events) {
    this.uncollected = uncollected;
    this.events = events;
  }

  void deadlines(ReplyDeadlines deadlines) {
    clock.set(deadlines);
  }

  /** Which of two classes may take longer. */
  MessageClass slower(MessageClass one, MessageClass other) {
    return clock.slower(one, other);
  }

  /** Notes requests that will not be answered: the next answer also waits for their work. */
  void unanswered(@Nullable MessageClass slowest) {
    clock.unanswered(slowest);
  }

  /** The first bytes of the write with this request have left. From now on it may be answered. */
  void markSent(ExpectedReply expected) {
    expected.bound = clock.bound(expected.slowest);
    expected.written = false;
    awaitedReplies += expected.collected ? 1 : 0;
    outstanding.add(expected);
    beingWritten.add(expected);
    if (expected.request.maxReplyDescriptors() > 0) {
      outstandingWithDescriptors++;
    }
  }

  /** Whether a request that is being written will be answered. */
  boolean hasBeingWritten() {
    return !beingWritten.isEmpty();
  }

  /**
   * The requests that were being written have left completely: the time of their answers begins.
   *
   * @param now {@link System#nanoTime}
   */
  void markOutstandingWritten(long now) {
    for (int i = 0; i < beingWritten.size(); i++) {
      ExpectedReply expected = beingWritten.get(i);
      expected.written = true;
      expected.writtenAt = now;
    }
    beingWritten.clear();
  }

  /** Nanoseconds until the oldest reply is overdue; 0 or less once it is. */
  long nanosToDeadline() {
    return nanosToDeadline(System.nanoTime());
  }

  /** The same, counted from a given time. */
  long nanosToDeadline(long now) {
    ExpectedReply next = outstanding.peek();
    return next == null || !next.written
        ? Long.MAX_VALUE
        : clock.nanosLeft(next.bound, next.writtenAt, now);
  }

  /** How long the oldest reply was allowed, for messages: "30000 ms, the limit of STOP". */
  String allowed() {
    ExpectedReply next = outstanding.element();
    long millis = TimeUnit.NANOSECONDS.toMillis(clock.allowedNanos(next.bound));
    return millis + " ms, the limit of " + next.bound;
  }

  /** How many replies are still to be handed out. */
  int pending() {
    return awaitedReplies + ready.size();
  }

  /** How many replies are outstanding for which no caller will ask. */
  int uncollected() {
    return outstanding.size() - awaitedReplies;
  }

  boolean hasReady() {
    return !ready.isEmpty();
  }

  @Nullable Reply poll() {
    return ready.poll();
  }

  /** The oldest request without an answer, for messages. */
  String awaited() {
    ExpectedReply next = outstanding.peek();
    return next == null ? "nothing" : next.request.name();
  }

  /** Whether a reply is expected for which a caller will ask. */
  boolean awaitsAny() {
    return awaitedReplies > 0;
  }

  /** Bytes of an unfinished reply, for messages. */
  int unfinished() {
    return tail;
  }

  /**
   * Reads once what is there, and matches every reply that is complete; never waits.
   *
   * @param expectsAny whether something is likely to be there
   * @return bytes, 0 if nothing was there, -1 at the end of the stream
   * @throws ProtocolException if a reply does not fit; replies that were matched before stay ready
   */
  int readOnce(SocketStream stream, boolean expectsAny) {
    boolean startsMessage = tail == 0;
    int limit = outstandingWithDescriptors > 0 ? endOfPart() : CAPACITY;
    int before = arrived.size();
    int count =
        expectsAny
            ? stream.read(memory, tail, limit - tail, arrived)
            : stream.readIfAny(memory, tail, limit - tail, arrived);
    if (arrived.size() > before) {
      requireExpectedDescriptors(startsMessage);
    }
    if (count > 0) {
      tail += count;
      match();
    }
    return count;
  }

  /** The end of the header while it is not complete, then the end of its payload. */
  private int endOfPart() {
    return tail < Header.SIZE ? Header.SIZE : Header.SIZE + headerAt(0).size();
  }

  private Header headerAt(int position) {
    return Header.decode(view.setIndex(position, tail));
  }

  private void requireExpectedDescriptors(boolean startsMessage) {
    ExpectedReply next = outstanding.peek();
    int most = next == null ? 0 : next.request.maxReplyDescriptors();
    if (!startsMessage) {
      throw new ProtocolException("descriptors in the middle of the reply to " + awaited());
    }
    if (arrived.size() > most) {
      throw new ProtocolException(
          arrived.size() + " descriptors with the reply to " + awaited() + ", at most " + most);
    }
  }

  private ExpectedReply askedFor(Header header) {
    ExpectedReply expected = outstanding.peek();
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
              + expected.layout.describeSizes());
    }
    if (expected.request == FrontEndRequest.GET_CONFIG
        && header.size() != 0
        && header.size() != expected.asked) {
      throw new ProtocolException(
          "the reply to GET_CONFIG has "
              + header.size()
              + " bytes, expected "
              + expected.asked
              + " as in the request, or 0 for a refusal");
    }
    return expected;
  }

  private void match() {
    int head = 0;
    while (tail - head >= Header.SIZE) {
      Header header = headerAt(head);
      ExpectedReply expected = askedFor(header);
      if (tail - head < Header.SIZE + header.size()) {
        break;
      }
      head += Header.SIZE + header.size();
      Payload payload = expected.layout.decode(view, header.size());
      expected.request.requireFittingAnswer(payload, arrived.size());
      outstanding.remove();
      clock.replyCame();
      if (expected.request.maxReplyDescriptors() > 0) {
        outstandingWithDescriptors--;
      }
      if (events.on()) {
        String name = expected.request.name();
        MessageEvent event = events.event(name, header.size(), arrived.size());
        events.passed(event, false, true, clock.lastReply());
      }
      Reply reply = new Reply(expected.request, payload, List.copyOf(arrived));
      arrived.clear();
      if (expected.collected) {
        awaitedReplies--;
        ready.add(reply);
      } else {
        uncollected.accept(reply);
      }
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

  /** Closes every descriptor that was not handed out. */
  void closeAll() {
    closeUnfinished();
    for (Reply reply = ready.poll(); reply != null; reply = ready.poll()) {
      reply.descriptors().forEach(OwnedDescriptor::close);
    }
  }
}
