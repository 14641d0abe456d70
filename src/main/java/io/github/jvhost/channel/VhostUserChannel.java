package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.Poller;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * The front end's side of one connection. Requests are encoded into a buffer and leave it at {@link
 * #flush}, at {@link #awaitReply}, when a segment is full, or when a message with descriptors has
 * to begin the next one.
 *
 * <p>After anything that a byte stream does not survive (a reply that does not fit, the end of the
 * stream, a deadline) the channel is <em>poisoned</em>: replies that were matched before are still
 * handed out, everything else throws a {@link VhostException} that names the first failure. A late
 * reply can so never be taken for the answer to a later request.
 *
 * <p>One platform thread at a time owns the channel. Descriptors that are sent stay the caller's;
 * it keeps them open until {@link #flush} or {@link #awaitReply} has returned.
 */
public final class VhostUserChannel implements AutoCloseable {
  private final SocketStream stream;
  private final String name;
  private final Dialect dialect;
  private final ReplyReader replies = new ReplyReader();
  private final ByteBuffer segment = ByteBuffer.allocateDirect(SocketStream.MAX_WRITE);
  private final ByteBuf out = Unpooled.wrappedBuffer(segment.duplicate()).clear();
  private List<OwnedDescriptor> segmentDescriptors = List.of();
  private @Nullable FrontEndRequest segmentFirst;
  private long protocolFeatures;
  private long messagesSent;
  private long waits;
  private boolean sentSinceWait;
  private boolean closed;
  private @Nullable VhostException failure;
  private boolean failureThrown;

  private VhostUserChannel(SocketStream stream, String name, Dialect dialect) {
    this.stream = stream;
    this.name = name;
    this.dialect = dialect;
  }

  /**
   * Connects to a back end that listens.
   *
   * @param socket its path, at most 107 bytes
   * @param name of the device, for messages
   * @param dialect what the numbers mean
   * @param ledger where received descriptors are written down
   * @param deadline for the back end to make room for one connection more
   * @throws VhostException (RETRY) if there is no such socket or nobody listens, (GIVE_UP) if it
   *     can never work
   * @throws DeadlineException if there was no room in time
   */
  public static VhostUserChannel connect(
      Path socket, String name, Dialect dialect, DescriptorLedger ledger, Deadline deadline) {
    return adopt(Connector.connect(socket, name, deadline), name, dialect, ledger);
  }

  /**
   * Takes over a connected socket, such as one end of a pair.
   *
   * @param socket from here on this object's
   */
  public static VhostUserChannel adopt(
      AFUNIXSocketChannel socket, String name, Dialect dialect, DescriptorLedger ledger) {
    return new VhostUserChannel(new SocketStream(socket, name, ledger), name, dialect);
  }

  /** The device's name, as it appears in messages. */
  public String name() {
    return name;
  }

  /** What the numbers mean on this connection. */
  public Dialect dialect() {
    return dialect;
  }

  /** Whether the connection is of no use any more. */
  public boolean poisoned() {
    return failure != null;
  }

  /**
   * The socket's number, for a {@link Poller}; stays this object's. -1 once the socket is closed.
   */
  public int number() {
    return stream.number();
  }

  /** Tells which protocol features were acknowledged; before this, none is taken to be. */
  public void negotiated(long protocolFeatures) {
    this.protocolFeatures = protocolFeatures;
  }

  /** The protocol features that were acknowledged, in the dialect's meaning. */
  public long protocolFeatures() {
    return protocolFeatures;
  }

  /**
   * Encodes a request, and writes what is in front of it if it has descriptors or does not fit any
   * more.
   *
   * @param request must be in the dialect, its protocol features negotiated
   * @param payload of the layout that the request has
   * @param descriptors stay the caller's, and open until the next flush
   * @param needReply asks for an acknowledgement; only with REPLY_ACK. A request with an explicit
   *     answer is answered once, whether asked or not
   * @param deadline for writing
   * @throws IllegalArgumentException if the payload or the number of descriptors does not belong to
   *     the request
   * @throws IllegalStateException on a virtual thread, if there are descriptors; or when closed
   * @throws VhostException (GIVE_UP), and nothing is sent, if a feature is missing or the dialect
   *     lacks the request
   * @throws DeadlineException if the back end does not read; the channel is poisoned
   * @throws BackEndGoneException if it is gone; the channel is poisoned
   */
  public void send(
      FrontEndRequest request,
      Payload payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      Deadline deadline) {
    requireUsable();
    if (!descriptors.isEmpty()) {
      SocketStream.requirePlatformThread();
    }
    request.requireWellFormed(payload, descriptors.size());
    int id = Gate.requireOpen(name, dialect, protocolFeatures, request, needReply);
    int length = Header.SIZE + payload.size();
    if (!descriptors.isEmpty() || out.writerIndex() + length > stream.maxWrite()) {
      flush(deadline);
    }
    if (segmentFirst == null) {
      segmentFirst = request;
      segmentDescriptors = List.copyOf(descriptors);
    }
    int flags = needReply ? Header.VERSION | Header.NEED_REPLY : Header.VERSION;
    Header.encode(out, id, flags, payload.size());
    payload.encode(out);
    messagesSent++;
    Optional<PayloadKind> answer = request.explicitReply(protocolFeatures);
    if (answer.isPresent()) {
      replies.queue(request, id, answer.get());
    } else if (needReply) {
      replies.queue(request, id, PayloadKind.U64);
    }
  }

  /**
   * Writes everything that is encoded. While the back end does not read, its replies are: two full
   * buffers cannot block each other.
   *
   * @throws DeadlineException if the back end does not read; the channel is poisoned
   * @throws BackEndGoneException if it is gone; the channel is poisoned
   * @throws ProtocolException if what it said meanwhile does not fit; the channel is poisoned
   */
  public void flush(Deadline deadline) {
    requireUsable();
    FrontEndRequest first = segmentFirst;
    if (first == null) {
      return;
    }
    segment.clear().limit(out.writerIndex());
    while (segment.hasRemaining()) {
      int ready = await(Poller.IN | Poller.OUT, deadline);
      if (ready == 0) {
        throw poison(
            new DeadlineException(
                name + ": sending " + first + ": the back end did not read it within " + deadline));
      }
      boolean over = (ready & (Poller.HUP | Poller.ERR)) != 0;
      if (over || (ready & Poller.IN) != 0) {
        receive("sending " + first);
      }
      if (!over && (ready & Poller.OUT) != 0) {
        // Not after a hang-up: a failed write would close the socket, and what the back end said
        // before it went would be lost.
        write(first);
      }
    }
    out.clear();
    segmentFirst = null;
    segmentDescriptors = List.of();
    sentSinceWait = true;
  }

  private void write(FrontEndRequest first) {
    // Only now may an answer come; one that is already here was for nobody.
    replies.queuedAreSent();
    try {
      if (stream.write(segment, segmentDescriptors) > 0) {
        segmentDescriptors = List.of();
      }
    } catch (IOException e) {
      throw poison(
          new BackEndGoneException(name + ": sending " + first + ": the back end is gone", e));
    } catch (IllegalStateException e) {
      throw poison(
          new VhostException(
              name + ": sending " + first + ": " + e.getMessage(), Recovery.RECONNECT, e));
    }
  }

  /** Answers that were asked for and not handed out by {@link #awaitReply}. */
  public int outstandingReplies() {
    return replies.pending();
  }

  /**
   * The answer to the oldest request that has one coming; writes first what is still in the buffer.
   *
   * @return the caller closes its descriptors
   * @throws IllegalStateException if nothing was asked, or when closed
   * @throws DeadlineException if it did not come in time; the channel is poisoned
   * @throws BackEndGoneException if the back end went away; the channel is poisoned
   * @throws ProtocolException if it does not fit the request; the channel is poisoned
   */
  public Reply awaitReply(Deadline deadline) {
    requireOpen();
    if (failure == null) {
      flush(deadline);
    }
    if (sentSinceWait) {
      sentSinceWait = false;
      waits++;
    }
    Reply reply = replies.poll();
    while (reply == null) {
      requireUsable();
      if (!replies.awaitsAny()) {
        throw new IllegalStateException(name + ": no reply is outstanding");
      }
      String doing = "waiting for the reply to " + replies.awaited();
      if (await(Poller.IN, deadline) == 0) {
        throw poison(new DeadlineException(name + ": " + doing + ": none came within " + deadline));
      }
      try {
        receive(doing);
      } catch (VhostException e) {
        // The same read may have brought the answer and, behind it, what poisoned the channel.
        if (!replies.hasReady()) {
          throw e;
        }
        failureThrown = false;
      }
      reply = replies.poll();
    }
    return reply;
  }

  /**
   * Reads once what is there, without waiting; for the moment when a {@link Poller} has reported
   * {@link #number()}. Writes nothing: call {@link #flush} before polling.
   *
   * @return whether {@link #awaitReply} would return, or throw, at once
   * @throws IllegalStateException when closed
   */
  public boolean receiveAvailable() {
    requireOpen();
    if (replies.hasReady() || failure != null) {
      return true;
    }
    try {
      if (stream.await(Poller.IN, 0) != 0) {
        receive("waiting for " + (replies.awaitsAny() ? "the reply to " : "") + replies.awaited());
      }
    } catch (VhostException e) {
      // Whoever asks for the reply gets it.
      poison(e);
      failureThrown = false;
    }
    return replies.hasReady() || failure != null;
  }

  private int await(int events, Deadline deadline) {
    try {
      return stream.await(events, deadline.remainingNanos());
    } catch (VhostException e) {
      throw poison(e);
    }
  }

  private void receive(String doing) {
    try {
      if (!replies.readOnce(stream)) {
        throw gone(doing, null);
      }
    } catch (IOException e) {
      // A peer that closes without having read everything resets the connection.
      throw poison(gone(doing, e));
    } catch (ProtocolException e) {
      throw poison(new ProtocolException(name + ": " + doing + ": " + e.getMessage()));
    } catch (VhostException e) {
      throw poison(e);
    }
  }

  private BackEndGoneException gone(String doing, @Nullable IOException cause) {
    String where =
        replies.unfinished() == 0 ? "" : " " + replies.unfinished() + " bytes into a reply";
    String said = cause == null ? "" : " (" + cause.getMessage() + ")";
    return new BackEndGoneException(
        name + ": " + doing + ": the back end closed the connection" + where + said, cause);
  }

  /** Remembers the first failure; answers it in the form in which it is to be thrown. */
  private VhostException poison(VhostException e) {
    VhostException thrown =
        e.recovery() == Recovery.RECONNECT
            ? e
            : new VhostException(name + ": " + e.getMessage(), Recovery.RECONNECT, e);
    if (failure == null) {
      failure = thrown;
      failureThrown = true;
      replies.closeUnfinished();
    }
    return thrown;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(name + ": the channel is closed");
    }
  }

  private void requireUsable() {
    requireOpen();
    if (failure != null && !failureThrown) {
      failureThrown = true;
      throw failure;
    }
    if (failure != null) {
      throw new VhostException(
          name + ": the connection is of no use any more: " + failure.getMessage(),
          Recovery.RECONNECT,
          failure);
    }
  }

  /** Messages that were encoded for sending, from the beginning. */
  public long messagesSent() {
    return messagesSent;
  }

  /**
   * Times that the caller stopped sending and asked for a reply: round trips, however many replies
   * each brought.
   */
  public long waits() {
    return waits;
  }

  /**
   * Closes the socket, and the descriptors of replies that nobody asked for. A second time does
   * nothing.
   */
  @Override
  public void close() {
    closed = true;
    replies.closeAll();
    stream.close();
  }
}
