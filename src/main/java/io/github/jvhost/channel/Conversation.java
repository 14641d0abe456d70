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
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends and receives the bytes of one connection, and does all waiting for them. It knows which
 * reply belongs to which request. {@link VhostUserChannel} decides what may be sent.
 *
 * <pre>
 *   add --&gt; Messages --flush--&gt; SocketStream --&gt; ReplyReader --awaitReply--&gt;
 *                                 |  the same wait
 *                                 +-- BackEndChannel, served whenever it has something
 * </pre>
 */
final class Conversation implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostUserChannel.class);

  private final SocketStream stream;
  private final String name;
  private final MessageEvents events;
  private final ReplyReader replies;
  private final Messages open;
  private final Health health;
  private @Nullable BackEndChannel backEnd;
  private long messagesSent;
  private long waits;
  private boolean writing;

  /** The first request of the write that is under way, for messages. */
  private @Nullable FrontEndRequest first;

  private boolean sentSinceWait;

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
    return replies.pending() + open.answers();
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

  /** Whether a write is under way, so that nothing can be added to it. */
  boolean isWriting() {
    return writing;
  }

  void requireNotWriting() {
    if (writing) {
      throw new IllegalStateException(
          name + ": the channel is in use: a handler of a back end's request may not wait on it");
    }
  }

  /**
   * Encodes a request. If the request has to begin a write, what was added before is written first.
   *
   * @param collected whether somebody will ask for the answer
   */
  void add(
      FrontEndRequest request,
      int id,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      boolean collected,
      Deadline deadline) {
    if (!open.continues(payload, descriptors)) {
      flush(deadline);
    }
    open.add(request, id, payload, descriptors, needReply, collected);
    messagesSent++;
  }

  /** Writes what was added, without an effect on {@link #waits}. */
  void flushUncounted(Deadline deadline) {
    boolean counted = sentSinceWait;
    flush(deadline);
    sentSinceWait = counted;
  }

  /** Writes what was added. */
  void flush(Deadline deadline) {
    health.requireUsable();
    requireNotWriting();
    if (!open.isEmpty()) {
      try {
        write(open, deadline);
      } finally {
        open.clear();
      }
    }
  }

  /** Writes what was added, then these messages, which were encoded apart. */
  void send(Messages messages, Deadline deadline) {
    flush(deadline);
    messagesSent += messages.count();
    write(messages, deadline);
  }

  private void write(Messages messages, Deadline deadline) {
    writing = true;
    messages.restart();
    try {
      for (Messages.Write one : messages.writes()) {
        for (int i = one.answersFrom(); i < one.answersTo(); i++) {
          replies.queue(messages.answer(i));
        }
        first = one.first();
        messages.begins(one);
        write(messages.memory(), one, deadline);
        boolean recorded = events.on();
        long now = isWritten(recorded);
        if (recorded) {
          events.sent(messages, one, now);
        }
      }
      replies.unanswered(messages.unanswered());
    } finally {
      writing = false;
    }
    sentSinceWait = true;
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
  private long isWritten(boolean wanted) {
    long now = wanted || replies.hasBeingWritten() ? System.nanoTime() : 0;
    replies.outstandingIsWritten(now);
    return now;
  }

  /** Writes whole messages; waits only where there is no room for them. */
  private void write(MemorySegment bytes, Messages.Write one, Deadline deadline) {
    if (one.asks()) {
      // An answer that is here before its request is sent belongs to no request.
      receive(true, false);
      replies.queuedAreSent();
    }
    List<OwnedDescriptor> travelling = one.descriptors();
    int at = 0;
    while (at < one.length()) {
      int count = writeOnce(bytes, one.from() + at, one.length() - at, travelling);
      if (count > 0) {
        at += count;
        travelling = List.of();
      } else {
        awaitRoom(deadline);
      }
    }
  }

  /**
   * Reads replies while the back end does not read, so that two full buffers cannot block each
   * other.
   */
  private void awaitRoom(Deadline deadline) {
    int ready = await(Poller.IN | Poller.OUT, deadline.remainingNanos());
    if (ready == 0) {
      throw poison(
          new DeadlineException(sending() + ": the back end did not read it within " + deadline));
    }
    if ((ready & ~Poller.OUT) != 0) {
      receive(true);
    }
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
    if (sentSinceWait) {
      sentSinceWait = false;
      waits++;
    }
    Reply reply = replies.poll();
    while (reply == null) {
      health.requireUsable();
      if (!replies.awaitsAny()) {
        throw new IllegalStateException(name + ": no reply is outstanding");
      }
      long nanos = Math.min(deadline.remainingNanos(), replies.nanosToDeadline());
      if (await(Poller.IN, nanos) != 0) {
        receiveForReply();
      } else if (!health.poisoned() && nanosToDeadline() == 0) {
        throw poison(overdue());
      } else if (!health.poisoned() && deadline.expired()) {
        throw poison(new DeadlineException(waiting() + ": none came within " + deadline));
      }
      reply = replies.poll();
    }
    return reply;
  }

  private void receiveForReply() {
    try {
      receive(false);
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
   * Waits for this socket, and serves the back end's requests meanwhile. Returns 0 when the time is
   * over or when a request's handler has poisoned the channel.
   */
  private int await(int events, long nanos) {
    try {
      long start = System.nanoTime();
      long left = nanos;
      while (true) {
        BackEndChannel other = backEnd;
        int ready = stream.await(events, left, other == null ? -1 : other.numberToServe());
        if (other == null || !stream.otherReady()) {
          return ready;
        }
        other.serveAvailable();
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
    }
    return thrown;
  }

  private void discard(Reply reply) {
    reply.descriptors().forEach(OwnedDescriptor::close);
    if (reply.payload() instanceof U64(long result) && result != 0) {
      log.warn("{}: {} was answered {}", name, reply.request(), result);
    }
  }

  @Override
  public void close() {
    health.close();
    replies.closeAll();
    stream.close();
    if (backEnd != null) {
      backEnd.close();
    }
  }
}
