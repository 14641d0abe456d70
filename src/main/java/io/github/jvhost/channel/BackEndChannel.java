package io.github.jvhost.channel;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.sys.io.SocketPair;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The front end's side of the socket of SET_BACKEND_REQ_FD: requests in, answers out
 * (specification, "Back-end communication").
 *
 * <pre>
 *   header (with descriptors) --&gt; payload --&gt; known? negotiated? --yes--&gt; handler --&gt; answer
 *            |                       |               +--------no---------------------&gt; failure
 *            +-- malformed ----------+--&gt; the channel closes, failure() says why
 * </pre>
 *
 * <p>It never waits and never throws. Half a request is kept until the rest has come. The channel
 * is closed if the back end does not read its answers. What that means for the main connection is
 * for the owner of both to say.
 *
 * <p>One platform thread at a time.
 */
public final class BackEndChannel implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(BackEndChannel.class);

  /**
   * Reads of one call, so that a back end that sends requests without end cannot hold the thread.
   */
  private static final int READS_PER_TURN = 128;

  private final SocketStream stream;
  private final String name;
  private final Dialect dialect;
  private final BackEndRequestHandler handler;
  private final MessageEvents events;
  private final ByteBuffer bytes = ByteBuffer.allocateDirect(Header.SIZE + Header.MAX_PAYLOAD);
  private final MemorySegment memory = MemorySegment.ofBuffer(bytes);
  private final ByteBuf view = Unpooled.wrappedBuffer(bytes.duplicate());
  private final ByteBuffer answer = ByteBuffer.allocateDirect(Header.SIZE + U64.SIZE);
  private final MemorySegment answerMemory = MemorySegment.ofBuffer(answer);
  private final ByteBuf answerOut = Unpooled.wrappedBuffer(answer.duplicate());
  private final List<OwnedDescriptor> arrived = new ArrayList<>();
  private @Nullable Header header;
  private long protocolFeatures;
  private long features;
  private long served;

  /** The thread that is serving requests; null if none is. */
  private volatile @Nullable Thread serving;

  private boolean closed;
  private @Nullable VhostException failure;

  private BackEndChannel(
      SocketStream stream,
      String name,
      Dialect dialect,
      BackEndRequestHandler handler,
      MessageEvents events) {
    this.stream = stream;
    this.name = name;
    this.dialect = dialect;
    this.handler = handler;
    this.events = events;
  }

  /**
   * A new channel.
   *
   * @param channel our end
   * @param theirs the back end's end; the caller sends it with SET_BACKEND_REQ_FD, then closes it
   */
  public record Opened(BackEndChannel channel, OwnedDescriptor theirs) {}

  /**
   * Makes both ends.
   *
   * @param name of the device, for messages
   * @param dialect the meaning of the numbers
   * @param ledger where descriptors are recorded
   * @param handler acts on requests
   * @return both ends; the caller closes each
   * @throws VhostException (RETRY) if no more descriptors can be opened
   */
  public static Opened open(
      String name, Dialect dialect, DescriptorLedger ledger, BackEndRequestHandler handler) {
    String ours = name + " back-end channel";
    // The pairs of the socket library leave two more sockets open, so the pair is made without it.
    SocketPair pair = SocketPair.open(ledger, ours);
    try {
      SocketStream stream = new SocketStream(AdoptedSocket.of(pair.one(), ours), ours, ledger);
      var channel = new BackEndChannel(stream, ours, dialect, handler, new MessageEvents(name));
      return new Opened(channel, pair.other());
    } catch (RuntimeException e) {
      pair.close();
      throw e;
    }
  }

  /**
   * Sets the protocol features that were acknowledged. A request of another feature is answered
   * with failure.
   *
   * @param protocolFeatures as bits, in the dialect's meaning; none before the first call
   */
  public void negotiated(long protocolFeatures) {
    this.protocolFeatures = protocolFeatures;
  }

  /**
   * Sets the features that were acknowledged; IOTLB messages need one of them.
   *
   * @param features as bits, of GET_FEATURES; none before the first call
   */
  void negotiatedFeatures(long features) {
    this.features = features;
  }

  /**
   * {@return the socket's number, for a {@link Poller}; -1 once it is closed} It stays this
   * object's.
   */
  public int number() {
    return closed ? -1 : stream.number();
  }

  /** The same, and -1 while a request is being handled, because the next one is not served then. */
  int numberToServe() {
    return serving == null ? number() : -1;
  }

  /** Whether this thread is serving requests, so that the question comes from a handler. */
  boolean isServedBy(Thread thread) {
    return thread.equals(serving);
  }

  /**
   * Handles and answers each request that is there, without waiting. An incomplete request is kept.
   * Nothing is thrown, whatever the back end does.
   */
  public void serveAvailable() {
    if (serving != null || closed) {
      return;
    }
    serving = Thread.currentThread();
    try {
      boolean more = true;
      for (int i = 0; i < READS_PER_TURN && !closed && more; i++) {
        more = readPart();
      }
    } catch (SystemCallException e) {
      fail(gone(" (" + e.getMessage() + ")", e));
    } catch (VhostException e) {
      fail(e);
    } catch (IllegalStateException e) {
      // The handler answered with a descriptor that it has closed.
      fail(new VhostException("answering: " + e.getMessage(), Recovery.RECONNECT, e));
    } finally {
      serving = null;
    }
  }

  /** Reads once, and serves the request if it is complete. Returns whether anything was there. */
  private boolean readPart() {
    int have = bytes.position();
    Header known = header;
    int end = known == null ? Header.SIZE : Header.SIZE + known.size();
    int before = arrived.size();
    int count = end == have ? 0 : stream.read(memory, have, end - have, arrived);
    if (count < 0) {
      throw gone("", null);
    }
    bytes.position(have + count);
    if (have > 0 && arrived.size() > before) {
      throw new ProtocolException("descriptors in the middle of a request");
    }
    if (known == null && bytes.position() == Header.SIZE) {
      known = Header.decode(view.setIndex(0, Header.SIZE));
      requireRequest(known);
      header = known;
    }
    if (known != null && bytes.position() == Header.SIZE + known.size()) {
      finishRequest(known);
      return true;
    }
    return count > 0;
  }

  private BackEndGoneException gone(String why, @Nullable Throwable cause) {
    String where = bytes.position() == 0 ? "" : " " + bytes.position() + " bytes into a request";
    return new BackEndGoneException("the back end closed it" + where + why, cause);
  }

  private void requireRequest(Header received) {
    if (received.isReply()) {
      throw new ProtocolException(
          "request "
              + Integer.toUnsignedString(received.request())
              + " has flags 0x"
              + Integer.toHexString(received.flags())
              + ", expected 0x1 or 0x9");
    }
    Optional<BackEndRequest> request = open(received);
    if (request.isPresent()) {
      request.get().requireFittingSize(received.size());
    }
  }

  /** The request, if it is known and was negotiated. */
  private Optional<BackEndRequest> open(Header received) {
    return BackEndRequest.of(received.request())
        .filter(request -> Gate.isOpen(dialect, protocolFeatures, features, request));
  }

  private void finishRequest(Header received) {
    List<OwnedDescriptor> descriptors = new ArrayList<>(arrived);
    arrived.clear();
    boolean recorded = events.on();
    if (recorded) {
      MessageEvent event =
          events.event(nameOf(received.request()), received.size(), descriptors.size());
      event.needReply = received.needsReply();
      events.passed(event, false, false, System.nanoTime());
    }
    try {
      Answer result = handle(received, descriptors);
      served++;
      if (closed) {
        return; // the handler has closed it
      }
      header = null;
      bytes.clear();
      boolean always =
          BackEndRequest.of(received.request()).map(BackEndRequest::alwaysAnswered).orElse(false);
      if (always || received.needsReply()) {
        write(received.request(), result);
        if (recorded) {
          int files = result.descriptor() == null ? 0 : 1;
          MessageEvent event = events.event(nameOf(received.request()), U64.SIZE, files);
          events.passed(event, true, true, System.nanoTime());
        }
      }
    } finally {
      descriptors.forEach(OwnedDescriptor::close);
    }
  }

  private static String nameOf(int request) {
    return BackEndRequest.of(request)
        .map(BackEndRequest::name)
        .orElse("request " + Integer.toUnsignedString(request));
  }

  private Answer handle(Header received, List<OwnedDescriptor> descriptors) {
    Optional<BackEndRequest> known = open(received);
    if (known.isEmpty()) {
      log.debug("{}: request {} is not known or not negotiated", name, received.request());
      return Answer.REFUSED;
    }
    BackEndRequest request = known.get();
    Payload payload =
        request.decode(
            view.setIndex(Header.SIZE, Header.SIZE + received.size()),
            received.size(),
            descriptors.size());
    if (!descriptors.isEmpty() && !ProtocolFeature.BACKEND_SEND_FD.isIn(protocolFeatures)) {
      log.debug("{}: {} with descriptors, without BACKEND_SEND_FD", name, request);
      return Answer.REFUSED;
    }
    try {
      Answer result = handler.handle(request, payload, descriptors);
      boolean found = request == BackEndRequest.SHARED_OBJECT_LOOKUP && result.result() == 0;
      if (found != (result.descriptor() != null)) {
        throw new IllegalArgumentException(
            "a descriptor belongs to an object that was looked up and found, and to nothing else");
      }
      return result;
    } catch (Throwable e) { // also an Error, because the back end waits for an answer
      log.warn("{}: handling {} {}", name, request, payload, e);
      return Answer.REFUSED;
    }
  }

  private void write(int request, Answer result) {
    Header.encode(answerOut.clear(), request, Header.REPLY_FLAGS, U64.SIZE);
    new U64(result.result()).encode(answerOut);
    OwnedDescriptor object = result.descriptor();
    int length = answer.capacity();
    int count = stream.write(answerMemory, 0, length, object == null ? List.of() : List.of(object));
    if (count < length) {
      String how = count == 0 ? "does not read its answers" : "takes half an answer";
      throw new DeadlineException("answering request " + request + ": the back end " + how);
    }
  }

  private void fail(VhostException e) {
    String message = name + ": " + e.getMessage();
    failure =
        switch (e) {
          case ProtocolException _ -> new ProtocolException(message);
          case DeadlineException _ -> new DeadlineException(message);
          case BackEndGoneException _ -> new BackEndGoneException(message, e.getCause());
          default -> new VhostException(message, Recovery.RECONNECT, e);
        };
    log.debug("{}", message);
    close();
  }

  /** {@return why the channel closed; null while it is open, and if this side closed it} */
  public @Nullable VhostException failure() {
    return failure;
  }

  /** {@return whether requests can still come} */
  public boolean isOpen() {
    return !closed;
  }

  /** {@return how many requests were handled since the beginning, answered or not} */
  long served() {
    return served;
  }

  /** Closes the socket and the descriptors of an unfinished request. A second call does nothing. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    arrived.forEach(OwnedDescriptor::close);
    arrived.clear();
    stream.close();
  }
}
