package io.github.jvhost.channel;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sends and receives the bytes of one connection, and does all waiting for them. It knows which
 * reply belongs to which request. {@link VhostUserChannel} decides what may be sent.
 *
 * <pre>
 *   add --&gt; Messages --flush--&gt; SocketStream --&gt; ReplyReader --awaitReply--&gt;
 *                                 |  the same wait
 *                                 +-- BackEndChannel, served whenever it has something
 * </pre>
 *
 * <p>{@link #writeMore} does all writing, and never waits. If there is no room, it remembers where
 * it stopped. {@link #flush} waits for room and calls it again; a plan's sender polls many
 * connections and then calls it again.
 */
final class Conversation implements AutoCloseable {
  /**
   * Messages that nobody waits for: those that were not written yet, and those that the back end
   * has not acknowledged yet. It has asked for each, and has no reason to ask for more before it
   * reads one.
   */
  private static final int MOST_UNCOLLECTED = 4096;

  private final SocketStream stream;
  private final String name;
  private final MessageEvents events;
  private final ReplyReader replies;
  private final Messages open;
  private final Health health;
  private @Nullable BackEndChannel backEnd;
  private long messagesSent;
  private long waits;

  /** What is being written, the oldest first. */
  private final ArrayDeque<Messages> outgoing = new ArrayDeque<>();

  /** Messages that were sent while others were being written; they are written after these. */
  private final ArrayDeque<Later> later = new ArrayDeque<>();

  /** Which write of the oldest outgoing messages comes next, and how many bytes of it have left. */
  private int nextWrite;

  private int written;

  /** The first request of the write that is under way, for messages. */
  private @Nullable FrontEndRequest first;

  private boolean sentSinceWait;

  /** Whether a poll has found nothing to read, so that the next write need not look. */
  private boolean lookedAhead;

  private record Later(FrontEndRequest request, int id, Payload payload, boolean needReply) {}

  Conversation(VhostUserChannel channel, SocketStream stream, String name) {
    this.open = new Messages(channel, stream.maxWrite());
    this.stream = stream;
    this.name = name;
    this.events = new MessageEvents(name);
    this.replies = new ReplyReader(this::discard, events);
    this.health = new Health(name);
  }

  Health health() {
    return health;
  }

  MessageEvents events() {
    return events;
  }

  int number() {
    return stream.number();
  }

  long messagesSent() {
    return messagesSent;
  }

  long waits() {
    return waits;
  }

  int outstandingReplies() {
    // While something is written, the open messages are part of it, or there are none.
    return replies.pending() + (isWriting() ? 0 : open.answers());
  }

  void deadlines(ReplyDeadlines deadlines) {
    replies.deadlines(deadlines);
  }

  long nanosToDeadline() {
    return nanosToDeadline(System.nanoTime());
  }

  long nanosToDeadline(long now) {
    return Math.max(0, replies.nanosToDeadline(now));
  }

  @Nullable BackEndChannel backEnd() {
    return backEnd;
  }

  void serve(BackEndChannel channel) {
    if (backEnd != null && backEnd != channel) {
      backEnd.close();
    }
    backEnd = channel;
  }

  /**
   * Serves the back end's requests that have come. After a malformed one the whole connection is
   * poisoned: whoever sends that is trusted no more here than there.
   */
  void serveBackEnd() {
    BackEndChannel other = backEnd;
    if (other == null) {
      return;
    }
    other.serveAvailable();
    if (other.failure() instanceof ProtocolException malformed && !health.poisoned()) {
      poison(malformed);
      health.rethrowOnNextCall();
    }
  }

  /** How many answers may still come that nobody asks for. */
  int uncollected() {
    return later.size() + replies.uncollected();
  }

  /** Whether something has still to be written for which there was no room. */
  boolean isWriting() {
    return !outgoing.isEmpty();
  }

  void requireNotWriting() {
    BackEndChannel other = backEnd;
    if (isWriting() && other != null && other.isServedBy(Thread.currentThread())) {
      throw new IllegalStateException(
          name + ": the channel is in use: a handler of a back end's request may not wait on it");
    }
  }

  /**
   * Encodes a request for whose answer somebody will ask. If the request has to begin a write, what
   * was added before is written first.
   */
  void add(
      FrontEndRequest request,
      int id,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      Deadline deadline) {
    if (isWriting() || !open.continues(payload, descriptors)) {
      flush(deadline);
    }
    open.add(request, id, payload, descriptors, needReply, true);
    messagesSent++;
    sentSinceWait = true;
  }

  /** Writes what was added. */
  void flush(Deadline deadline) {
    health.requireUsable();
    requireNotWriting();
    beginOpen();
    while (!writeMore()) {
      awaitRoom(deadline);
    }
  }

  /**
   * Writes what was added, then these messages, which were encoded apart; never waits.
   *
   * @param nothingHasCome whether a poll has just found that nothing can be read
   * @return whether all of it has left; otherwise {@link #writeMore} writes the rest
   */
  boolean send(Messages messages, boolean nothingHasCome) {
    health.requireUsable();
    requireNotWriting();
    beginOpen();
    begin(messages);
    messagesSent += messages.count();
    sentSinceWait = true;
    lookedAhead = nothingHasCome;
    return writeMore();
  }

  /** Writes a request for whose answer nobody will ask, as {@link #send} does. */
  void sendUncollected(FrontEndRequest request, int id, Payload payload, boolean needReply) {
    if (uncollected() >= MOST_UNCOLLECTED) {
      throw poison(
          new VhostException(
              "%s: sending %s: the back end has asked for %d of them and has acknowledged none of these; its connection is not used any more"
                  .formatted(name, request, MOST_UNCOLLECTED),
              Recovery.RECONNECT));
    }
    later.add(new Later(request, id, payload, needReply));
    writeMore();
  }

  private void beginOpen() {
    if (!isWriting() && !open.isEmpty()) {
      begin(open);
    }
  }

  private void begin(Messages messages) {
    messages.restart();
    outgoing.add(messages);
  }

  /** Adds what was sent while other messages were being written. */
  private void beginLater() {
    for (Later next = later.poll(); next != null; next = later.poll()) {
      open.add(next.request, next.id, next.payload, List.of(), next.needReply, false);
      messagesSent++;
    }
    beginOpen();
  }

  /**
   * Writes what there is room for; never waits.
   *
   * @return whether all of it has left
   */
  boolean writeMore() {
    health.requireUsable();
    while (isWriting() || !later.isEmpty()) {
      Messages oldest = outgoing.peek();
      if (oldest == null) {
        beginLater();
      } else if (write(oldest)) {
        haveLeft(oldest);
      } else {
        return false;
      }
    }
    return true;
  }

  /**
   * The same with a deadline for all of it.
   *
   * @throws DeadlineException if it has passed, and something is left
   */
  boolean writeMore(Deadline deadline) {
    boolean all = writeMore();
    if (!all && deadline.expired()) {
      throw notRead(deadline);
    }
    return all;
  }

  /** Goes on where the last call stopped. Returns whether all has left. */
  private boolean write(Messages messages) {
    List<Messages.Write> writes = messages.writes();
    while (nextWrite < writes.size()) {
      if (!write(messages, writes.get(nextWrite))) {
        return false;
      }
      nextWrite++;
      written = 0;
    }
    return true;
  }

  private boolean write(Messages messages, Messages.Write one) {
    first = one.first();
    if (written == 0 && one.asks() && !lookedAhead) {
      // An answer that is here before its request is sent belongs to no request.
      receive(true, false);
    }
    lookedAhead = false;
    while (written < one.length()) {
      List<OwnedDescriptor> travelling = written == 0 ? one.descriptors() : List.of();
      int count =
          writeOnce(messages.memory(), one.from() + written, one.length() - written, travelling);
      if (count == 0) {
        return false;
      }
      if (written == 0) {
        markBegun(messages, one);
      }
      written += count;
    }
    boolean recorded = events.on();
    long now = markWritten(recorded);
    if (recorded) {
      events.sent(messages, one, now);
    }
    return true;
  }

  /** The first bytes of a write have left. From now on its answers may come. */
  private void markBegun(Messages messages, Messages.Write one) {
    for (int i = one.answersFrom(); i < one.answersTo(); i++) {
      replies.markSent(messages.answer(i));
    }
    messages.markBegun(one);
  }

  private void haveLeft(Messages messages) {
    replies.unanswered(messages.unanswered());
    messages.markWritten();
    outgoing.remove();
    nextWrite = 0;
    if (messages == open) {
      open.clear();
    }
  }

  /**
   * Leaves out what has not left of these messages.
   *
   * @param why the failure of the connection, if a part of a message has left
   */
  void giveUp(Messages messages, VhostException why) {
    boolean oldest = outgoing.peek() == messages;
    if (oldest && written > 0) {
      poison(why);
    } else if (outgoing.remove(messages) && oldest) {
      nextWrite = 0;
    }
  }

  private void dropOutgoing() {
    outgoing.clear();
    later.clear();
    open.clear();
    nextWrite = 0;
    written = 0;
  }

  MessageClass slower(MessageClass one, MessageClass other) {
    return replies.slower(one, other);
  }

  int maxWrite() {
    return stream.maxWrite();
  }

  /**
   * A write has completed: the time of its answers begins.
   *
   * @param wanted whether a recording needs the time too
   * @return now, or 0 if nothing needs the time
   */
  private long markWritten(boolean wanted) {
    long now = wanted || replies.hasBeingWritten() ? System.nanoTime() : 0;
    replies.markOutstandingWritten(now);
    return now;
  }

  /**
   * Reads replies while the back end does not read, so that two full buffers cannot block each
   * other.
   */
  private void awaitRoom(Deadline deadline) {
    int ready = await(Poller.IN | Poller.OUT, deadline.remainingNanos());
    if (ready == 0) {
      health.requireUsable(); // or the request of a handler has failed
      throw notRead(deadline);
    }
    if ((ready & ~Poller.OUT) != 0) {
      receive(true);
    }
  }

  private VhostException notRead(Deadline deadline) {
    return poison(
        new DeadlineException(sending() + ": the back end did not read it within " + deadline));
  }

  private int writeOnce(
      MemorySegment bytes, long from, int length, List<OwnedDescriptor> descriptors) {
    try {
      return stream.write(bytes, from, length, descriptors);
    } catch (SystemCallException e) {
      // What it sent before it closed may say why, so that is read first.
      while (receive(true) > 0) {
        health.requireUsable();
      }
      throw poison(new BackEndGoneException(sending() + ": the back end is gone", e));
    } catch (IllegalStateException e) {
      throw poison(new VhostException(sending() + ": " + e.getMessage(), Recovery.RECONNECT, e));
    }
  }

  private String sending() {
    return name + ": sending " + first;
  }

  private String waiting() {
    return name + ": waiting for the reply to " + replies.awaited();
  }

  /** See {@link VhostUserChannel#awaitReply}; the caller has written everything. */
  Reply awaitReply(Deadline deadline) {
    countWait();
    Reply reply = replies.poll();
    while (reply == null) {
      health.requireUsable();
      if (!replies.awaitsAny()) {
        throw new IllegalStateException(name + ": no reply is outstanding");
      }
      long nanos = Math.min(deadline.remainingNanos(), replies.nanosToDeadline());
      int ready = await(Poller.IN, nanos);
      if (ready != 0) {
        receiveForReply(ready);
      } else if (!health.poisoned() && nanosToDeadline() == 0) {
        throw poison(overdue());
      } else if (!health.poisoned() && deadline.expired()) {
        throw poison(new DeadlineException(waiting() + ": none came within " + deadline));
      }
      reply = replies.poll();
    }
    return reply;
  }

  /** See {@link VhostUserChannel#takeReply}. */
  Reply takeReply() {
    countWait();
    Reply reply = replies.poll();
    if (reply == null) {
      health.requireUsable();
      throw new IllegalStateException(name + ": no reply is here");
    }
    return reply;
  }

  private void countWait() {
    if (sentSinceWait) {
      sentSinceWait = false;
      waits++;
    }
  }

  private void receiveForReply(int ready) {
    try {
      if ((ready & ~Poller.OUT) != 0) {
        receive(false);
      }
      if ((ready & Poller.OUT) != 0) {
        writeMore(); // a request of a handler, for which there was no room
      }
    } catch (VhostException e) {
      // The same read may have brought the answer and, after it, what poisoned the channel.
      if (!replies.hasReady()) {
        throw e;
      }
      health.rethrowOnNextCall();
    }
  }

  private DeadlineException overdue() {
    return new DeadlineException(waiting() + ": none came within " + replies.allowed());
  }

  /** Whether {@link #awaitReply} would return, or throw, at once. */
  boolean hasReply() {
    return replies.hasReady() || health.poisoned();
  }

  /** See {@link VhostUserChannel#receiveAvailable}. */
  boolean receiveAvailable() {
    health.requireOpen();
    if (hasReply()) {
      return true;
    }
    try {
      receive(false);
      if (!replies.hasReady() && nanosToDeadline() == 0) {
        throw overdue();
      }
    } catch (VhostException e) {
      poison(e);
      health.rethrowOnNextCall();
    }
    return hasReply();
  }

  /**
   * Waits for this socket, and serves the back end's requests meanwhile. Also waits for room, if
   * something has still to be written. Returns 0 when the time is over or when a request's handler
   * has poisoned the channel.
   */
  private int await(int events, long nanos) {
    try {
      long start = System.nanoTime();
      long left = nanos;
      while (true) {
        BackEndChannel other = backEnd;
        int wanted = isWriting() ? events | Poller.OUT : events;
        int ready = stream.await(wanted, left, other == null ? -1 : other.numberToServe());
        if (other == null || !stream.otherReady()) {
          return ready;
        }
        serveBackEnd();
        health.requireOpen(); // a handler may have closed the channel
        left = nanos - (System.nanoTime() - start);
        if (ready != 0 || left <= 0 || health.poisoned()) {
          return health.poisoned() ? 0 : ready;
        }
      }
    } catch (VhostException e) {
      throw poison(e);
    }
  }

  private int receive(boolean sending) {
    return receive(sending, true);
  }

  /**
   * Reads once what is there; never waits.
   *
   * @param sending for messages: true while sending, false while waiting
   * @param expectsAny whether something is likely to be there
   * @return the number of bytes; 0 if nothing was there
   */
  private int receive(boolean sending, boolean expectsAny) {
    try {
      int count = replies.readOnce(stream, expectsAny);
      if (count < 0) {
        throw poison(gone(sending, null));
      }
      return count;
    } catch (SystemCallException e) {
      // A peer that closes with unread data resets the connection.
      throw poison(gone(sending, e));
    } catch (ProtocolException e) {
      throw poison(new ProtocolException(doing(sending) + ": " + e.getMessage()));
    } catch (VhostException e) {
      throw poison(e);
    }
  }

  private String doing(boolean sending) {
    return sending
        ? sending()
        : replies.awaitsAny() ? waiting() : name + ": waiting for " + replies.awaited();
  }

  private BackEndGoneException gone(boolean sending, @Nullable SystemCallException cause) {
    String where =
        replies.unfinished() == 0 ? "" : " " + replies.unfinished() + " bytes into a reply";
    String said = cause == null ? "" : " (" + cause.getMessage() + ")";
    return new BackEndGoneException(
        doing(sending) + ": the back end closed the connection" + where + said, cause);
  }

  private VhostException poison(VhostException e) {
    boolean first = !health.poisoned();
    VhostException thrown = health.poison(e);
    if (first) {
      replies.closeUnfinished();
      dropOutgoing();
    }
    return thrown;
  }

  /**
   * Takes an acknowledgement that nobody asks for. The back end has asked for what it refuses here,
   * and asks once; so only on another connection can it be told.
   */
  private void discard(Reply reply) {
    reply.descriptors().forEach(OwnedDescriptor::close);
    if (reply.payload() instanceof U64(long result) && result != 0) {
      throw new VhostException(
          "%s: the back end has asked for %s, and has refused it when it came (it answered %s); its connection is not used any more, so that it asks again"
              .formatted(name, reply.request(), Long.toUnsignedString(result)),
          Recovery.RECONNECT);
    }
  }

  @Override
  public void close() {
    health.close();
    dropOutgoing();
    replies.closeAll();
    stream.close();
    if (backEnd != null) {
      backEnd.close();
    }
  }
}
