package io.github.jvhost.channel;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * The front end's side of one connection. Requests are encoded into a buffer and leave it at {@link
 * #flush}, at {@link #awaitReply}, when a write is full, or when a message with descriptors has to
 * begin the next one.
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
  private final Conversation conversation;
  private final Health health;
  private final String name;
  private final Dialect dialect;

  /** What a back end's request had us say while a write was under way. */
  private final ArrayDeque<Later> later = new ArrayDeque<>();

  private long protocolFeatures;
  private long features;
  private boolean postcopy;

  private record Later(FrontEndRequest request, Payload payload) {}

  private VhostUserChannel(SocketStream stream, String name, Dialect dialect) {
    this.conversation = new Conversation(this, stream, name);
    this.health = conversation.health();
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
   * @return the channel, which the caller closes
   * @throws VhostException (RETRY) if there is no such socket or nobody listens, (GIVE_UP) if it
   *     can never work
   * @throws DeadlineException if there was no room in time
   */
  public static VhostUserChannel connect(
      Path socket, String name, Dialect dialect, DescriptorLedger ledger, Deadline deadline) {
    return connect(new BackEndAddress.Socket(socket), name, dialect, ledger, deadline);
  }

  /**
   * Connects to a back end, however that is done.
   *
   * @param where it is; {@link BackEndAddress.Connected} is used up, whatever comes of it
   * @param name of the device, for messages
   * @param dialect what the numbers mean
   * @param ledger where received descriptors are written down
   * @param deadline for the connection to be there
   * @return the channel, which the caller closes
   * @throws VhostException (RETRY) if there is no such socket or nobody listens, (GIVE_UP) if it
   *     can never work
   * @throws DeadlineException if it was not there in time
   */
  public static VhostUserChannel connect(
      BackEndAddress where,
      String name,
      Dialect dialect,
      DescriptorLedger ledger,
      Deadline deadline) {
    AFUNIXSocketChannel socket =
        switch (where) {
          case BackEndAddress.Socket(Path path) ->
              Connector.connect(path, name, "back end", deadline);
          case BackEndAddress.Listening(FrontEndListener listener) ->
              listener.accept(name, deadline);
          case BackEndAddress.Connected(OwnedDescriptor given) -> AdoptedSocket.of(given, name);
        };
    return adopt(socket, name, dialect, ledger);
  }

  /** Takes over a connected socket, such as one end of a pair. */
  static VhostUserChannel adopt(
      AFUNIXSocketChannel socket, String name, Dialect dialect, DescriptorLedger ledger) {
    return new VhostUserChannel(new SocketStream(socket, name, ledger), name, dialect);
  }

  /**
   * From now on no flight recording hears of this connection: for what is not meant, such as a
   * rehearsal.
   */
  public void unrecorded() {
    conversation.events().silence();
  }

  /** {@return whether a flight recording that runs would hear of this connection} */
  public boolean isRecorded() {
    return !conversation.events().isSilenced();
  }

  MessageEvents events() {
    return conversation.events();
  }

  /** {@return the device's name, as it appears in messages} */
  public String name() {
    return name;
  }

  /** {@return what the numbers mean on this connection} */
  public Dialect dialect() {
    return dialect;
  }

  /** {@return whether the connection is of no use any more} */
  public boolean poisoned() {
    return health.poisoned();
  }

  /**
   * {@return the socket's number, for a {@link Poller}; -1 once the socket is closed} It stays this
   * object's.
   */
  public int number() {
    return conversation.number();
  }

  /**
   * Tells which protocol features were acknowledged; before this, none is taken to be.
   *
   * @param protocolFeatures as bits, in the dialect's meaning
   */
  public void negotiated(long protocolFeatures) {
    this.protocolFeatures = protocolFeatures;
    tellBackEndChannel();
  }

  /**
   * Tells which features were acknowledged, for the messages that need one of them. Each
   * SET_FEATURES that is sent tells it too.
   *
   * @param features as bits, of GET_FEATURES
   */
  void negotiatedFeatures(long features) {
    this.features = features;
    tellBackEndChannel();
  }

  private void tellBackEndChannel() {
    BackEndChannel backEnd = conversation.backEnd();
    if (backEnd != null) {
      backEnd.negotiated(protocolFeatures);
      backEnd.negotiatedFeatures(features);
    }
  }

  /**
   * Tells that POSTCOPY_LISTEN was acknowledged, or POSTCOPY_END answered: in between, memory
   * messages are answered differently.
   *
   * @param listening true from POSTCOPY_LISTEN on, false again from POSTCOPY_END on
   */
  public void postcopyListening(boolean listening) {
    postcopy = listening;
  }

  /**
   * Sets how long replies may take; {@link ReplyDeadlines#DEFAULTS} before.
   *
   * @param deadlines count at once, also for replies that are awaited already
   */
  public void replyDeadlines(ReplyDeadlines deadlines) {
    conversation.deadlines(deadlines);
  }

  /**
   * Serves the back end's own requests, from here on in every wait of this channel: a back end may
   * wait for an answer there before it answers here. What was negotiated is passed on to it.
   *
   * @param channel closed with this one; one that was served before is closed now
   */
  public void serve(BackEndChannel channel) {
    health.requireOpen();
    conversation.serve(channel);
    tellBackEndChannel();
  }

  /**
   * {@return the number of the socket of {@link #serve}, for a {@link Poller}; -1 when there is
   * none}
   */
  public int backEndNumber() {
    BackEndChannel backEnd = conversation.backEnd();
    return backEnd == null ? -1 : backEnd.number();
  }

  /**
   * {@return whether the calling thread serves a request of the back end's at this moment: a {@link
   * BackEndRequestHandler} asks} Any thread may ask.
   */
  public boolean isServingHere() {
    BackEndChannel backEnd = conversation.backEnd();
    return backEnd != null && backEnd.isServedBy(Thread.currentThread());
  }

  /** Serves the back end's requests that are there, after a poll has reported some. */
  public void serveBackEnd() {
    BackEndChannel backEnd = conversation.backEnd();
    if (backEnd != null) {
      backEnd.serveAvailable();
    }
  }

  /** {@return the protocol features that were acknowledged, as bits in the dialect's meaning} */
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
   * @throws IllegalStateException when closed
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
    health.requireUsable();
    conversation.requireNotWriting();
    request.requireWellFormed(payload, descriptors.size());
    int id = Gate.requireOpen(name, dialect, protocolFeatures, features, request, needReply);
    noteFeatures(request, payload);
    conversation.add(request, id, payload, descriptors, needReply, true, deadline);
  }

  private void noteFeatures(FrontEndRequest request, Payload payload) {
    if (request == FrontEndRequest.SET_FEATURES && payload instanceof U64(long acknowledged)) {
      negotiatedFeatures(acknowledged);
    }
  }

  /**
   * Sends a request whose answer nobody will ask for: it is taken in order when it comes, and a
   * refusal is logged. It leaves at once, or right behind what is being written at this moment. A
   * {@link BackEndRequestHandler} may call this, to answer a missing translation.
   *
   * @param request as for {@link #send}, without descriptors
   * @param payload of the layout that the request has
   * @param deadline for writing
   * @throws VhostException as {@link #send} and {@link #flush} do
   */
  public void sendUncollected(FrontEndRequest request, Payload payload, Deadline deadline) {
    health.requireUsable();
    request.requireWellFormed(payload, 0);
    int id = Gate.requireOpen(name, dialect, protocolFeatures, features, request, false);
    if (conversation.isWriting()) {
      later.add(new Later(request, payload));
      return;
    }
    conversation.add(request, id, payload, List.of(), false, false, deadline);
    conversation.flushUncounted(deadline);
    flushLater(deadline);
  }

  /**
   * Writes everything that is encoded. While the back end does not read, its replies are: two full
   * buffers cannot block each other.
   *
   * @param deadline for writing
   * @throws DeadlineException if the back end does not read; the channel is poisoned
   * @throws BackEndGoneException if it is gone; the channel is poisoned
   * @throws ProtocolException if what it said meanwhile does not fit; the channel is poisoned
   */
  public void flush(Deadline deadline) {
    conversation.flush(deadline);
    flushLater(deadline);
  }

  private void flushLater(Deadline deadline) {
    for (Later next = later.poll(); next != null; next = later.poll()) {
      sendUncollected(next.request, next.payload, deadline);
    }
  }

  /** {@return an empty sequence of messages, which are encoded now and sent later} */
  public Messages messages() {
    return new Messages(this, conversation.maxWrite());
  }

  /**
   * Sends messages that were encoded before, all of them, behind what is in the buffer. Where the
   * back end reads them, this waits for nothing. Their answers are {@linkplain #awaitReply asked
   * for} like any others.
   *
   * @param messages made by {@link #messages} of this channel; when they are sent once more, their
   *     answers have been taken
   * @param deadline for writing
   * @throws VhostException as {@link #flush} does; the channel is poisoned. {@link Messages#begun}
   *     says how many messages may have left
   */
  public void send(Messages messages, Deadline deadline) {
    if (messages.channel() != this) {
      throw new IllegalArgumentException(name + ": messages of another connection");
    }
    messages.restart();
    health.requireUsable();
    conversation.requireNotWriting();
    Long acknowledged = messages.features();
    if (acknowledged != null) {
      negotiatedFeatures(acknowledged);
    }
    conversation.send(messages, deadline);
    flushLater(deadline);
  }

  /** The number of a request that may be sent as things are, with this payload. */
  int checked(FrontEndRequest request, Payload payload, int descriptors, boolean needReply) {
    request.requireWellFormed(payload, descriptors);
    return Gate.requireOpen(name, dialect, protocolFeatures, features, request, needReply);
  }

  /** In which layout a request is answered as things are; empty: not at all. */
  Optional<PayloadKind> answerTo(FrontEndRequest request, Payload payload, boolean needReply) {
    return request.answerTo(payload, protocolFeatures, postcopy, needReply);
  }

  /** Which of the two may take longer. */
  MessageClass slower(MessageClass one, FrontEndRequest other) {
    return conversation.slower(one, other.messageClass());
  }

  /** {@return how many answers were asked for and not handed out by {@link #awaitReply}} */
  public int outstandingReplies() {
    return conversation.outstandingReplies();
  }

  /**
   * {@return the answer to the oldest request that has one coming; the caller closes its
   * descriptors} Writes first what is still in the buffer.
   *
   * @param deadline for writing and for the answer; the limit of the message counts besides
   * @throws IllegalStateException if nothing was asked, or when closed
   * @throws DeadlineException if it did not come in time; the channel is poisoned
   * @throws BackEndGoneException if the back end went away; the channel is poisoned
   * @throws ProtocolException if it does not fit the request; the channel is poisoned
   */
  public Reply awaitReply(Deadline deadline) {
    health.requireOpen();
    if (!health.poisoned()) {
      flush(deadline);
    }
    return conversation.awaitReply(deadline);
  }

  /**
   * {@return how many nanoseconds are left until the oldest awaited reply is overdue, 0 once it is,
   * {@link Long#MAX_VALUE} when none is awaited} {@link #receiveAvailable} after that poisons the
   * channel with a {@link DeadlineException} that names the message and the time.
   */
  public long nanosToDeadline() {
    return conversation.nanosToDeadline();
  }

  /**
   * {@return how many nanoseconds are left until the oldest awaited reply is overdue, from a moment
   * on; otherwise as {@link #nanosToDeadline()}}
   *
   * @param now that moment, as {@link System#nanoTime} told it
   */
  public long nanosToDeadline(long now) {
    return conversation.nanosToDeadline(now);
  }

  /**
   * {@return whether {@link #awaitReply} would return, or throw, at once, with what has been read
   * already}
   */
  public boolean hasReply() {
    return conversation.hasReply();
  }

  /**
   * Reads once what is there, without waiting; for the moment when a {@link Poller} has reported
   * {@link #number()}. Writes nothing: call {@link #flush} before polling.
   *
   * @return whether {@link #awaitReply} would return, or throw, at once
   * @throws IllegalStateException when closed
   */
  public boolean receiveAvailable() {
    return conversation.receiveAvailable();
  }

  /** {@return how many messages were encoded for sending, from the beginning} */
  public long messagesSent() {
    return conversation.messagesSent();
  }

  /**
   * {@return how many times the caller stopped sending and asked for a reply: round trips, however
   * many replies each brought}
   */
  public long waits() {
    return conversation.waits();
  }

  /**
   * Closes the socket, the channel of {@link #serve}, and the descriptors of replies that nobody
   * asked for. A second time does nothing.
   */
  @Override
  public void close() {
    conversation.close();
  }
}
