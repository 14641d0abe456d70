package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Messages for one connection that are encoded ahead of time, with the writes that they make and
 * the answers that they will have. Sending them and taking the answers allocates nothing; what is
 * not known until then is patched in.
 *
 * <pre>
 *   bytes    | BASE | KICK           | CALL           | BASE | KICK           | ... | GET_STATUS |
 *   writes   |------|--fd-----------|--fd------------------|--fd-----------|---...------------|
 *   answers                                                                         one u64
 *                \ patched: {@link #number}
 * </pre>
 *
 * <p>The same rule as for {@link VhostUserChannel#send} cuts the writes: a message with descriptors
 * begins one. Only answers of eight bytes can be taken so, which are those of GET_VRING_BASE,
 * GET_STATUS and GET_FEATURES, and acknowledgements.
 *
 * <p>Made by {@link VhostUserChannel#prepare}, for that connection, in the state in which it is
 * then. The channel's thread alone may use it.
 */
public final class PreparedMessages {
  private final VhostUserChannel channel;
  private final MemorySegment bytes;
  private final List<Write> writes;
  private final List<ExpectedReply> expected;
  private final long[] answers;
  private final int messages;
  private int answered;

  /** What a recording gets to hear; null: there was none when it was last looked. */
  private @Nullable PreparedEvents events;

  private boolean recorded;

  /**
   * One write.
   *
   * @param first the message that begins it, for errors
   * @param from where it begins, in bytes
   * @param length in bytes
   * @param descriptors travel with its first byte; borrowed
   * @param answersFrom which answers it asks for: the first
   * @param answersTo and behind the last
   */
  record Write(
      FrontEndRequest first,
      int from,
      int length,
      List<OwnedDescriptor> descriptors,
      int answersFrom,
      int answersTo) {}

  private PreparedMessages(Builder builder) {
    this.channel = builder.channel;
    ByteBuffer all = ByteBuffer.allocateDirect(Math.max(1, builder.out.readableBytes()));
    builder.out.getBytes(0, all.duplicate().limit(builder.out.readableBytes()));
    this.bytes = MemorySegment.ofBuffer(all);
    this.writes = List.copyOf(builder.writes);
    this.messages = builder.messages;
    this.answers = new long[builder.asked.size()];
    List<ExpectedReply> replies = new ArrayList<>();
    for (Builder.Asked one : builder.asked) {
      replies.add(
          new ExpectedReply(
              one.request, one.id, one.layout, one.payloadBytes, true, one.slowest, this));
    }
    this.expected = List.copyOf(replies);
    MessageEvents recording = channel.events();
    if (recording.on()) {
      events = new PreparedEvents(this, recording);
    }
  }

  /** {@return how many messages there are} */
  public int messages() {
    return messages;
  }

  /** {@return how many answers the messages have} */
  int answers() {
    return answers.length;
  }

  /** {@return whether all answers are there} */
  public boolean complete() {
    return answered == answers.length;
  }

  /** {@return how many answers are there} */
  public int answered() {
    return answered;
  }

  /**
   * {@return the payload of an answer that is there, as one number}
   *
   * @param index in the order of the requests that are answered, below {@link #answered()}
   */
  public long answer(int index) {
    return answers[Objects.checkIndex(index, answered)];
  }

  /**
   * Patches the second half of a ring's number ({@code struct vhost_vring_state}).
   *
   * @param payload what {@link Builder#add} answered
   * @param number size or base
   */
  public void number(int payload, int number) {
    bytes.set(ValueLayout.JAVA_INT_UNALIGNED, payload + (long) Integer.BYTES, number);
  }

  VhostUserChannel channel() {
    return channel;
  }

  MemorySegment bytes() {
    return bytes;
  }

  List<Write> writes() {
    return writes;
  }

  ExpectedReply expected(int index) {
    return expected.get(index);
  }

  /**
   * Records what was sent and answered, with the times taken then; nothing where no flight
   * recording runs. For a moment in which nobody waits.
   */
  public void record() {
    if (events != null) {
      events.commit();
    }
  }

  /**
   * Before they are sent, once more or for the first time.
   *
   * @param recording of the connection
   */
  void restart(MessageEvents recording) {
    recorded = recording.on();
    if (recorded && events == null) {
      events = new PreparedEvents(this, recording); // a recording that began in between
    }
    answered = 0;
    for (int i = 0; i < expected.size(); i++) {
      expected.get(i).written = false;
    }
  }

  void take(long answer, long now) {
    answers[answered++] = answer;
    if (recorded && events != null) {
      events.answered(now);
    }
  }

  /** Whether {@link #written} wants to be told. */
  boolean recorded() {
    return recorded;
  }

  /** A write has returned. */
  void written(int write, long now) {
    if (recorded && events != null) {
      events.written(write, now);
    }
  }

  /** Collects messages in their order. */
  public static final class Builder {
    private final VhostUserChannel channel;
    private final int maxWrite;
    private final ByteBuf out = Unpooled.buffer();
    private final List<Write> writes = new ArrayList<>();
    private final List<Asked> asked = new ArrayList<>();
    private int messages;
    private int from;
    private int answersFrom;
    private @Nullable FrontEndRequest first;
    private List<OwnedDescriptor> travelling = List.of();
    private @Nullable MessageClass slowest;

    private record Asked(
        FrontEndRequest request,
        int id,
        PayloadKind layout,
        int payloadBytes,
        MessageClass slowest) {}

    Builder(VhostUserChannel channel, int maxWrite) {
      this.channel = channel;
      this.maxWrite = maxWrite;
    }

    /**
     * Adds a message.
     *
     * @param request that may be sent on the connection as it is now
     * @param payload of the layout that the request has
     * @param descriptors stay the caller's, and open until the messages were sent
     * @param needReply asks for an acknowledgement; only with REPLY_ACK. A request with an explicit
     *     answer is answered once, whether asked or not
     * @return where the payload begins, for {@link PreparedMessages#number}
     * @throws IllegalArgumentException if the payload does not belong to the request, or its answer
     *     is no number
     * @throws io.github.jvhost.VhostException (GIVE_UP) if a feature is missing
     */
    public int add(
        FrontEndRequest request,
        Payload payload,
        List<OwnedDescriptor> descriptors,
        boolean needReply) {
      int id = channel.checked(request, payload, descriptors.size(), needReply);
      int length = Header.SIZE + payload.size();
      boolean full = out.readableBytes() - from + length > maxWrite;
      if (!descriptors.isEmpty() || full) {
        endWrite();
      }
      if (first == null) {
        first = request;
        travelling = List.copyOf(descriptors);
      }
      int flags = needReply ? Header.VERSION | Header.NEED_REPLY : Header.VERSION;
      Header.encode(out, id, flags, payload.size());
      int at = out.writerIndex();
      payload.encode(out);
      messages++;
      slowest = slowest == null ? request.messageClass() : channel.slower(slowest, request);
      Optional<PayloadKind> answer = channel.answerTo(request, payload, needReply);
      if (answer.isPresent()) {
        PayloadKind layout = answer.get();
        if (layout != PayloadKind.U64 && layout != PayloadKind.VRING_STATE) {
          throw new IllegalArgumentException("the answer to " + request + " is no number");
        }
        asked.add(new Asked(request, id, layout, payload.size(), slowest));
        slowest = null;
      }
      return at;
    }

    private void endWrite() {
      if (first != null) {
        int end = out.writerIndex();
        writes.add(new Write(first, from, end - from, travelling, answersFrom, asked.size()));
        from = end;
        answersFrom = asked.size();
        first = null;
        travelling = List.of();
      }
    }

    /** {@return the messages, in the order in which they were added} */
    public PreparedMessages build() {
      endWrite();
      return new PreparedMessages(this);
    }
  }
}
