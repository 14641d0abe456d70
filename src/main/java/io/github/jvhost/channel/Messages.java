package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Messages for one connection, encoded one after the other, with the writes that carry them and the
 * answers that are expected. They may be sent long after they were encoded. A ring's number can
 * still be patched before that.
 *
 * <pre>
 *   bytes    | BASE | ADDR | KICK   | BASE | ADDR | KICK   | ... | SET_STATUS | GET_STATUS |
 *   writes   |-------------|--fd-------------------|--fd----...---------------------------|
 *   answers                                                                    one u64
 *                \ patched: {@link #number}
 * </pre>
 *
 * <p>A message with descriptors begins a write, because descriptors are sent with a write's first
 * byte. So does a message that would make a write longer than the socket takes at once.
 *
 * <p>{@link VhostUserChannel#messages} makes it, for that connection and its state at that time.
 * Only the channel's thread may use it.
 */
public final class Messages {
  private static final int FIRST_CAPACITY = 512;

  private final VhostUserChannel channel;
  private final int maxWrite;
  private final List<Write> writes = new ArrayList<>();
  private final List<ExpectedReply> answers = new ArrayList<>();
  private ByteBuffer bytes = ByteBuffer.allocateDirect(FIRST_CAPACITY);
  private MemorySegment memory = MemorySegment.ofBuffer(bytes);
  private ByteBuf out = Unpooled.wrappedBuffer(bytes.duplicate()).clear();
  private int count;

  // The open write, to which a message may be added. There is none if its first message is null.
  private @Nullable FrontEndRequest first;
  private int from;
  private int answersFrom;
  private List<OwnedDescriptor> travelling = List.of();

  /**
   * The slowest class of the messages since the last one that is answered; null if there is none.
   */
  private @Nullable MessageClass unanswered;

  /** The features that the last SET_FEATURES acknowledges; null if there is none. */
  private @Nullable Long features;

  /** How many messages the writes had that were begun since {@link #restart}. */
  private int begun;

  /** Whether all of them have left since {@link #restart}. */
  private boolean written;

  /**
   * One write.
   *
   * @param first the message that begins it, for errors
   * @param from where it begins, in bytes
   * @param length in bytes
   * @param descriptors are sent with its first byte; their owner keeps them
   * @param answersFrom index of the first answer that it asks for
   * @param answersTo index after the last answer that it asks for
   * @param messagesTo number of messages up to its end
   */
  record Write(
      FrontEndRequest first,
      int from,
      int length,
      List<OwnedDescriptor> descriptors,
      int answersFrom,
      int answersTo,
      int messagesTo) {
    boolean asks() {
      return answersTo > answersFrom;
    }
  }

  /**
   * Makes an empty sequence.
   *
   * @param maxWrite bytes of one write; a single message may exceed it
   */
  Messages(VhostUserChannel channel, int maxWrite) {
    this.channel = channel;
    this.maxWrite = maxWrite;
  }

  /**
   * Adds a message. Its answer, if it has one, is {@linkplain VhostUserChannel#awaitReply asked
   * for} after the answers to earlier messages.
   *
   * @param request that may be sent on the connection as it is now, and as it is after the messages
   *     before this one
   * @param payload of the layout that the request has
   * @param descriptors the caller keeps them, and keeps them open until the messages were sent
   * @param needReply asks for an acknowledgement; only with REPLY_ACK. A request with an explicit
   *     answer is answered once, whether asked or not
   * @return where the payload begins, for {@link #number}
   * @throws IllegalArgumentException if the payload does not belong to the request
   * @throws io.github.jvhost.VhostException (GIVE_UP) if a feature is missing
   */
  public int add(
      FrontEndRequest request,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply) {
    int id = channel.checked(request, payload, descriptors.size(), needReply, features);
    return add(request, id, payload, descriptors, needReply, true);
  }

  /**
   * Adds a message that was checked before.
   *
   * @param collected whether a caller will ask for its answer
   */
  int add(
      FrontEndRequest request,
      int id,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      boolean collected) {
    if (!continues(payload, descriptors)) {
      endWrite();
    }
    if (first == null) {
      first = request;
      travelling = List.copyOf(descriptors);
    }
    reserve(Header.SIZE + payload.size());
    int flags = needReply ? Header.VERSION | Header.NEED_REPLY : Header.VERSION;
    Header.encode(out, id, flags, payload.size());
    int at = out.writerIndex();
    payload.encode(out);
    count++;
    if (request == FrontEndRequest.SET_FEATURES && payload instanceof U64(long acknowledged)) {
      features = acknowledged;
    }
    MessageClass slowest =
        unanswered == null ? request.messageClass() : channel.slower(unanswered, request);
    PayloadKind layout = channel.answerTo(request, payload, needReply).orElse(null);
    if (layout != null) {
      answers.add(new ExpectedReply(request, id, layout, payload.size(), collected, slowest));
    }
    unanswered = layout == null ? slowest : null;
    return at;
  }

  /** Whether the open write can carry one more message. */
  boolean continues(Payload payload, List<OwnedDescriptor> descriptors) {
    int length = out.writerIndex() - from + Header.SIZE + payload.size();
    return first == null || (descriptors.isEmpty() && length <= maxWrite);
  }

  private void endWrite() {
    if (first != null) {
      int end = out.writerIndex();
      writes.add(
          new Write(first, from, end - from, travelling, answersFrom, answers.size(), count));
      from = end;
      answersFrom = answers.size();
      first = null;
      travelling = List.of();
    }
  }

  private void reserve(int more) {
    int used = out.writerIndex();
    if (used + more > bytes.capacity()) {
      ByteBuffer larger = ByteBuffer.allocateDirect(Math.max(2 * bytes.capacity(), used + more));
      larger.put(0, bytes, 0, used);
      bytes = larger;
      memory = MemorySegment.ofBuffer(larger);
      out = Unpooled.wrappedBuffer(larger.duplicate()).setIndex(0, used);
    }
  }

  /**
   * Patches the second half of a ring's number ({@code struct vhost_vring_state}).
   *
   * @param payload what {@link #add} returned
   * @param number size or base
   */
  public void number(int payload, int number) {
    memory.set(ValueLayout.JAVA_INT_UNALIGNED, payload + (long) Integer.BYTES, number);
  }

  /** {@return how many messages there are} */
  public int count() {
    return count;
  }

  /** {@return how many of the messages are answered} */
  public int answers() {
    return answers.size();
  }

  /**
   * {@return how many messages, from the first, were sent or may have been: those in the writes of
   * which at least a part left at the last sending}
   */
  public int begun() {
    return begun;
  }

  /** {@return whether all of them left at the last sending} */
  public boolean written() {
    return written;
  }

  VhostUserChannel channel() {
    return channel;
  }

  boolean isEmpty() {
    return count == 0;
  }

  MemorySegment memory() {
    return memory;
  }

  /** Returns the writes. A message that is added later begins another one. */
  List<Write> writes() {
    endWrite();
    return writes;
  }

  ExpectedReply answer(int index) {
    return answers.get(index);
  }

  /**
   * The slowest class of the messages after the last one that is answered; null if there is none.
   */
  @Nullable MessageClass unanswered() {
    return unanswered;
  }

  @Nullable Long features() {
    return features;
  }

  /** Called before the messages are sent, each time. */
  void restart() {
    begun = 0;
    written = false;
  }

  void markBegun(Write write) {
    begun = write.messagesTo();
  }

  void markWritten() {
    written = true;
  }

  /** Removes all messages. */
  void clear() {
    writes.clear();
    answers.clear();
    out.clear();
    count = 0;
    first = null;
    from = 0;
    answersFrom = 0;
    travelling = List.of();
    unanswered = null;
    features = null;
    begun = 0;
    written = false;
  }
}
