package io.github.jvhost.channel;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.ListeningSocket;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * The front end's side of one connection. Requests are encoded into a buffer. They are written by
 * {@link #flush}, by {@link #awaitReply}, when a write is full, or when a message with descriptors
 * has to begin the next one.
 *
 * <p>After a reply that does not fit, the end of the stream or a missed deadline the channel is
 * <em>poisoned</em>: replies that were matched before are still handed out, and every other call
 * throws a {@link VhostException} that names the first failure. So a late reply is never taken for
 * the answer to a later request.
 *
 * <p>One platform thread at a time owns the channel. The caller keeps the descriptors that it
 * sends, and keeps them open until {@link #flush} or {@link #awaitReply} has returned.
 */
public final class VhostUserChannel implements AutoCloseable {
  private final Conversation conversation;
  private final Health health;
  private final String name;
  private final Dialect dialect;

  private long protocolFeatures;
  private long features;
  private boolean postcopy;

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
   * @param dialect the meaning of the numbers
   * @param ledger where the socket and received descriptors are recorded
   * @param deadline for the back end to make room for one more connection
   * @return the channel, which the caller closes
   * @throws VhostException (RETRY) if there is no such socket or nobody listens, (GIVE_UP) if it
   *     can never work
   * @throws DeadlineException if there was no room in time
   */
  public static VhostUserChannel connect(
      Path socket, String name, Dialect dialect, DescriptorLedger ledger, Deadline deadline) {
    return adopt(Connector.connect(socket, name, "back end", deadline), name, dialect, ledger);
  }

  /**
   * Waits for a back end to connect. Only this module can call it, because only it can name the
   * socket.
   *
   * @param listener its owner keeps it
   * @param name of the device, for messages
   * @param dialect the meaning of the numbers
   * @param ledger where the socket and received descriptors are recorded
   * @param deadline for a back end to come
   * @return the channel, which the caller closes
   * @throws VhostException (GIVE_UP) if the listening socket fails or was closed
   * @throws DeadlineException if none came in time
   */
  public static VhostUserChannel accept(
      ListeningSocket listener,
      String name,
      Dialect dialect,
      DescriptorLedger ledger,
      Deadline deadline) {
    AFUNIXSocketChannel accepted = listener.accept(deadline);
    if (accepted == null) {
      throw new DeadlineException(
          "%s: waiting for a back end to connect to %s: none came within %s"
              .formatted(name, listener.path(), deadline));
    }
    return adopt(accepted, name, dialect, ledger);
  }

  /**
   * Takes over a connection that somebody else made.
   *
   * @param socket taken over, also if this fails
   * @param name of the device, for messages
   * @param dialect the meaning of the numbers
   * @param ledger where the socket and received descriptors are recorded
   * @return the channel, which the caller closes
   * @throws VhostException (GIVE_UP) if it is no connected AF_UNIX stream socket
   */
  public static VhostUserChannel adopt(
      OwnedDescriptor socket, String name, Dialect dialect, DescriptorLedger ledger) {
    return adopt(AdoptedSocket.of(socket, name), name, dialect, ledger);
  }

  /** Takes over a connected socket, such as one end of a pair. */
  static VhostUserChannel adopt(
      AFUNIXSocketChannel socket, String name, Dialect dialect, DescriptorLedger ledger) {
    return new VhostUserChannel(new SocketStream(socket, name, ledger), name, dialect);
  }

  /** From now on flight recordings leave this connection out. A rehearsal uses this. */
  public void unrecorded() {
    conversation.events().silence();
  }

  /** {@return whether flight recordings show this connection} */
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

  /** {@return the meaning of the numbers on this connection} */
  public Dialect dialect() {
    return dialect;
  }

  /** {@return whether the connection cannot be used any more} */
  public boolean poisoned() {
    return health.poisoned();
  }

  /**
   * {@return the socket's number, for a {@link Poller}; -1 once the socket is closed} This object
   * keeps it.
   */
  public int number() {
    return conversation.number();
  }

  /**
   * Sets the protocol features that were acknowledged. Before the first call there are none.
   *
   * @param protocolFeatures as bits, in the dialect's meaning
   */
  public void negotiated(long protocolFeatures) {
    this.protocolFeatures = protocolFeatures;
    updateBackEndChannel();
  }

  /**
   * Sets the features that were acknowledged, for the messages that need one of them. Each
   * SET_FEATURES that is sent sets them too.
   *
   * @param features as bits, of GET_FEATURES
   */
  void negotiatedFeatures(long features) {
    this.features = features;
    updateBackEndChannel();
  }

  private void updateBackEndChannel() {
    BackEndChannel backEnd = conversation.backEnd();
    if (backEnd != null) {
      backEnd.negotiated(protocolFeatures);
      backEnd.negotiatedFeatures(features);
    }
  }

  /**
   * Sets whether postcopy is between the acknowledgement of POSTCOPY_LISTEN and the answer to
   * POSTCOPY_END. In between, memory messages are answered differently.
   *
   * @param listening true from POSTCOPY_LISTEN on, false again from POSTCOPY_END on
   */
  public void postcopyListening(boolean listening) {
    postcopy = listening;
  }

  /**
   * Sets how long replies may take; {@link ReplyDeadlines#DEFAULTS} before.
   *
   * @param deadlines apply at once, also to replies that are awaited already
   */
  public void replyDeadlines(ReplyDeadlines deadlines) {
    conversation.deadlines(deadlines);
  }

  /**
   * From now on serves the back end's own requests in every wait of this channel. A back end may
   * wait for an answer there before it answers here. The channel gets the features that were
   * negotiated.
   *
   * @param channel is closed with this one; a channel that was served before is closed now
   */
  public void serve(BackEndChannel channel) {
    health.requireOpen();
    conversation.serve(channel);
    updateBackEndChannel();
  }

  /**
   * {@return the number of the socket of {@link #serve}, for a {@link Poller}; -1 if there is none}
   */
  public int backEndNumber() {
    BackEndChannel backEnd = conversation.backEnd();
    return backEnd == null ? -1 : backEnd.number();
  }

  /**
   * {@return whether the calling thread is serving a request of the back end, so that the call
   * comes from a {@link BackEndRequestHandler}} Any thread may ask.
   */
  public boolean isServingHere() {
    BackEndChannel backEnd = conversation.backEnd();
    return backEnd != null && backEnd.isServedBy(Thread.currentThread());
  }

  /**
   * Serves the back end's requests that have come, after a poll has reported some. A malformed one
   * poisons this channel too.
   */
  public void serveBackEnd() {
    conversation.serveBackEnd();
  }

  /** {@return why the socket of {@link #serve} was closed; null if it is open, or there is none} */
  public @Nullable VhostException backEndFailure() {
    BackEndChannel backEnd = conversation.backEnd();
    return backEnd == null ? null : backEnd.failure();
  }

  /**
   * {@return whether the back end was told that it accesses memory through an IOMMU, so that it has
   * to be able to ask for translations}
   */
  public boolean translates() {
    return (features & VhostFeature.IOMMU_PLATFORM) != 0;
  }

  /** {@return the protocol features that were acknowledged, as bits in the dialect's meaning} */
  public long protocolFeatures() {
    return protocolFeatures;
  }

  /**
   * Encodes a request. If it has descriptors or does not fit into the buffer, what was encoded
   * before is written first.
   *
   * @param request must be in the dialect, its protocol features negotiated
   * @param payload of the layout that the request has
   * @param descriptors the caller keeps them, and keeps them open until the next flush
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
    conversation.add(request, id, payload, descriptors, needReply, deadline);
  }

  private void noteFeatures(FrontEndRequest request, Payload payload) {
    if (request == FrontEndRequest.SET_FEATURES && payload instanceof U64(long acknowledged)) {
      negotiatedFeatures(acknowledged);
    }
  }

  /**
   * Sends a request whose answer no caller will ask for. With REPLY_ACK an acknowledgement is asked
   * for. The channel takes the answer when it comes; a refusal poisons it. Never waits: what there
   * is no room for is written by the next call that writes or waits, or by {@link #sendMore}. A
   * {@link BackEndRequestHandler} may call this to answer a missing translation, also while other
   * messages are being written.
   *
   * @param request as for {@link #send}, without descriptors
   * @param payload of the layout that the request has
   * @throws VhostException as {@link #send} does, but not {@link DeadlineException}. If the back
   *     end has not acknowledged the last 4,096 of such requests, the channel is poisoned
   */
  public void sendUncollected(FrontEndRequest request, Payload payload) {
    health.requireUsable();
    boolean needReply = ProtocolFeature.REPLY_ACK.isIn(protocolFeatures);
    int id = checked(request, payload, 0, needReply);
    conversation.sendUncollected(request, id, payload, needReply);
  }

  /**
   * Writes everything that is encoded. While the back end does not read, this reads its replies, so
   * that two full buffers cannot block each other.
   *
   * @param deadline for writing
   * @throws DeadlineException if the back end does not read; the channel is poisoned
   * @throws BackEndGoneException if it is gone; the channel is poisoned
   * @throws ProtocolException if what it sent meanwhile does not fit; the channel is poisoned
   */
  public void flush(Deadline deadline) {
    conversation.flush(deadline);
  }

  /** {@return an empty sequence of messages, which are encoded now and sent later} */
  public Messages messages() {
    return new Messages(this, conversation.maxWrite());
  }

  /**
   * Sends these messages, which were encoded before, after what is in the buffer. Never waits: if
   * the back end has not read enough, a part is left, and {@link #sendMore} sends it. Their answers
   * are {@linkplain #takeReply asked for} like any others.
   *
   * @param messages made by {@link #messages} of this channel; before they are sent again, their
   *     answers must have been read. Their descriptors stay open until all have left
   * @param nothingHasCome whether a poll has just found that nothing can be read. Otherwise this
   *     looks, because what is there before a question is sent does not answer it
   * @return whether all have left
   * @throws VhostException as {@link #flush} does, but not {@link DeadlineException}; the channel
   *     is poisoned. {@link Messages#begun} says how many messages may have left
   */
  public boolean send(Messages messages, boolean nothingHasCome) {
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
    return conversation.send(messages, nothingHasCome);
  }

  /**
   * {@return whether something is left to send for which there was no room} A {@link Poller} then
   * watches {@link #number} for output too.
   */
  public boolean waitsForRoom() {
    return conversation.isWriting();
  }

  /**
   * Goes on sending where there was no room before; never waits.
   *
   * @param deadline for all of it
   * @return whether all has left
   * @throws DeadlineException if something is left at the deadline; the channel is poisoned
   * @throws VhostException as {@link #flush} does; the channel is poisoned
   */
  public boolean sendMore(Deadline deadline) {
    return conversation.writeMore(deadline);
  }

  /**
   * Gives up messages that were not sent completely. If a part of one has left, the channel is
   * poisoned, because the back end would take the next message for the rest of it.
   *
   * @param messages of the last {@link #send(Messages, boolean)}
   * @param why for the failure of later calls
   */
  public void giveUp(Messages messages, VhostException why) {
    conversation.giveUp(messages, why);
  }

  /** Returns the number of a request that may be sent now with this payload. */
  int checked(FrontEndRequest request, Payload payload, int descriptors, boolean needReply) {
    return checked(request, payload, descriptors, needReply, null);
  }

  /**
   * The same behind other messages.
   *
   * @param acknowledged the features that one of these acknowledges; null: none does
   */
  int checked(
      FrontEndRequest request,
      Payload payload,
      int descriptors,
      boolean needReply,
      @Nullable Long acknowledged) {
    request.requireWellFormed(payload, descriptors);
    long then = acknowledged == null ? features : acknowledged;
    return Gate.requireOpen(name, dialect, protocolFeatures, then, request, needReply);
  }

  /** The layout of the answer to a request, given what is negotiated now; empty: no answer. */
  Optional<PayloadKind> answerTo(FrontEndRequest request, Payload payload, boolean needReply) {
    return request.answerTo(payload, protocolFeatures, postcopy, needReply);
  }

  /** The class that may take longer. */
  MessageClass slower(MessageClass one, FrontEndRequest other) {
    return conversation.slower(one, other.messageClass());
  }

  /** {@return how many answers {@link #awaitReply} has still to return} */
  public int outstandingReplies() {
    return conversation.outstandingReplies();
  }

  /** {@return how many answers may still come to what {@link #sendUncollected} has sent} */
  public int uncollectedReplies() {
    return conversation.uncollected();
  }

  /**
   * {@return the answer to the oldest request that is not answered yet; the caller closes its
   * descriptors} Writes first what is still in the buffer.
   *
   * @param deadline for writing and for the answer; the limit of the message counts too
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
   * {@return the answer to the oldest request that is not answered yet, after {@link #hasReply} has
   * found it; the caller closes its descriptors} Neither waits nor writes.
   *
   * @throws IllegalStateException if there is none, or when closed
   * @throws VhostException if there is none, and the channel is poisoned
   */
  public Reply takeReply() {
    health.requireOpen();
    return conversation.takeReply();
  }

  /**
   * {@return how many nanoseconds are left until the oldest awaited reply is overdue, 0 once it is,
   * {@link Long#MAX_VALUE} when none is awaited} Once it is overdue, {@link #receiveAvailable}
   * poisons the channel with a {@link DeadlineException} that names the message and the time.
   */
  public long nanosToDeadline() {
    return conversation.nanosToDeadline();
  }

  /**
   * {@return how many nanoseconds are left until the oldest awaited reply is overdue, counted from
   * a given time; otherwise as {@link #nanosToDeadline()}}
   *
   * @param now that time, of {@link System#nanoTime}
   */
  public long nanosToDeadline(long now) {
    return conversation.nanosToDeadline(now);
  }

  /** {@return whether {@link #takeReply} would return an answer, or the failure of the channel} */
  public boolean hasReply() {
    return conversation.hasReply();
  }

  /**
   * Reads once what is there, without waiting. Call it when a {@link Poller} has reported {@link
   * #number()}. It writes nothing.
   *
   * @return {@link #hasReply}
   * @throws IllegalStateException when closed
   */
  public boolean receiveAvailable() {
    return conversation.receiveAvailable();
  }

  /** {@return how many messages were encoded for sending since the beginning} */
  public long messagesSent() {
    return conversation.messagesSent();
  }

  /**
   * {@return how often the caller stopped sending and asked for a reply: the number of round trips,
   * however many replies each of them brought}
   */
  public long waits() {
    return conversation.waits();
  }

  /**
   * Closes the socket, the channel of {@link #serve}, and the descriptors of replies that were not
   * handed out. A second call does nothing.
   */
  @Override
  public void close() {
    conversation.close();
  }
}
