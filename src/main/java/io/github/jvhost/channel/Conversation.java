package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bytes of one connection in both directions, and all waiting for them. It knows which reply
 * belongs to which request; what may be sent is decided in front of it.
 *
 * <pre>
 *   add --&gt; Segment --flush--&gt; SocketStream --&gt; ReplyReader --awaitReply--&gt;
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
  private final Segment segment = new Segment();
  private final Health health;
  private @Nullable BackEndChannel backEnd;
  private long messagesSent;
  private long waits;
  private boolean writing;

  /** What begins the write that is under way, for messages. */
  private @Nullable FrontEndRequest first;

  private boolean sentSinceWait;

  Conversation(SocketStream stream, String name) {
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
    return replies.pending();
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

  /** Whether a segment is being written, so that nothing can be added to it. */
  boolean isWriting() {
    return writing;
  }

  void requireNotWriting() {
    if (writing) {
      throw new IllegalStateException(
          name
              + ": the channel is in use: whoever handles a back end's request may not wait on it");
    }
  }

  /**
   * Encodes a request; before that writes what is in front of it, if it has descriptors or does not
   * fit any more.
   *
   * @param answer in which layout it will be answered, if at all
   * @param collected whether somebody will ask for the answer
   */
  void add(
      FrontEndRequest request,
      int id,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      Optional<PayloadKind> answer,
      boolean collected,
      Deadline deadline) {
    if (!descriptors.isEmpty() || !segment.hasRoomFor(payload, stream.maxWrite())) {
      flush(deadline);
    }
    segment.add(request, id, payload, descriptors, needReply);
    events.encoded(request.name(), payload.size(), descriptors.size(), needReply);
    messagesSent++;
    if (answer.isPresent()) {
      replies.queue(request, id, answer.get(), payload.size(), collected);
    } else {
      replies.skip(request);
    }
  }

  /** Writes what is there, as something that the caller's own waits do not count. */
  void flushUncounted(Deadline deadline) {
    boolean counted = sentSinceWait;
    flush(deadline);
    sentSinceWait = counted;
  }

  void flush(Deadline deadline) {
    health.requireUsable();
    requireNotWriting();
    if (segment.first() == null) {
      return;
    }
    writing = true;
    try {
      writeSegment(deadline);
    } finally {
      writing = false;
    }
    sentSinceWait = true;
  }

  /** Writes messages that were encoded ahead of time, behind what is still in the segment. */
  void send(PreparedMessages prepared, Deadline deadline) {
    flush(deadline);
    prepared.restart(events);
    writing = true;
    try {
      for (int i = 0; i < prepared.writes().size(); i++) {
        PreparedMessages.Write one = prepared.writes().get(i);
        for (int k = one.answersFrom(); k < one.answersTo(); k++) {
          replies.queue(prepared.expected(k));
        }
        first = one.first();
        boolean asks = one.answersTo() > one.answersFrom();
        write(prepared.bytes(), one.from(), one.length(), one.descriptors(), asks, deadline);
        prepared.written(i, isWritten(prepared.recorded()));
      }
    } finally {
      writing = false;
    }
    messagesSent += prepared.messages();
    sentSinceWait = true;
  }

  /** Reads what is there, without waiting; whether all answers to these messages have come. */
  boolean receive(PreparedMessages prepared) {
    health.requireUsable();
    if (!prepared.complete()) {
      receive(false);
      if (!prepared.complete() && nanosToDeadline() == 0) {
        throw poison(overdue());
      }
    }
    return prepared.complete();
  }

  MessageClass slower(MessageClass one, MessageClass other) {
    return replies.slower(one, other);
  }

  int maxWrite() {
    return stream.maxWrite();
  }

  private void writeSegment(Deadline deadline) {
    first = segment.first();
    write(
        segment.memory(),
        0,
        segment.length(),
        segment.descriptors(),
        replies.hasQueued(),
        deadline);
    segment.clear();
    events.written(isWritten(events.hasUnwritten()));
  }

  /**
   * What was about to be written has left: the time of answers runs.
   *
   * @param wanted whether a recording wants to know the time, too
   * @return now, or 0 if nobody wants to know
   */
  private long isWritten(boolean wanted) {
    long now = wanted || replies.hasBeingWritten() ? System.nanoTime() : 0;
    replies.outstandingIsWritten(now);
    return now;
  }

  /**
   * Writes whole messages; waits only where there is no room for them.
   *
   * @param asks whether one of them will be answered
   */
  private void write(
      MemorySegment bytes,
      long from,
      int length,
      List<OwnedDescriptor> descriptors,
      boolean asks,
      Deadline deadline) {
    if (asks) {
      // Only now may an answer come; one that is already here was for nobody.
      receive(true, false);
      replies.queuedAreSent();
    }
    List<OwnedDescriptor> travelling = descriptors;
    int at = 0;
    while (at < length) {
      int count = writeOnce(bytes, from + at, length - at, travelling);
      if (count > 0) {
        at += count;
        travelling = List.of();
      } else {
        awaitRoom(deadline);
      }
    }
  }

  /** While the back end does not read, what it says is read: two full buffers block nobody. */
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
      // What it said before it went is worth more than that it is gone.
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

  /** See {@link VhostUserChannel#awaitReply}; everything is written. */
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
      // The same read may have brought the answer and, behind it, what poisoned the channel.
      if (!replies.hasReady()) {
        throw e;
      }
      health.untold();
    }
  }

  private DeadlineException overdue() {
    return new DeadlineException(waiting() + ": none came within " + replies.allowed());
  }

  /** See {@link VhostUserChannel#receiveAvailable}. */
  boolean receiveAvailable() {
    health.requireOpen();
    if (replies.hasReady() || health.poisoned()) {
      return true;
    }
    try {
      if (stream.await(Poller.IN, 0) != 0) {
        receive(false);
      }
      if (!replies.hasReady() && nanosToDeadline() == 0) {
        throw overdue();
      }
    } catch (VhostException e) {
      // Whoever asks for the reply gets it.
      poison(e);
      health.untold();
    }
    return replies.hasReady() || health.poisoned();
  }

  /**
   * Waits for this socket and serves the back end's requests meanwhile; 0 when the time is over, or
   * a request's handler has poisoned the channel.
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
        health.requireOpen(); // a handler that closes the channel says so itself
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
   * @param sending for messages: what was being done, to send or to wait
   * @param expectsAny whether something is likely to be there
   * @return bytes, 0: nothing was there
   */
  private int receive(boolean sending, boolean expectsAny) {
    try {
      int count = replies.readOnce(stream, expectsAny);
      if (count < 0) {
        throw poison(gone(sending, null));
      }
      return count;
    } catch (SystemCallException e) {
      // A peer that closes without having read everything resets the connection.
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
