package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.channel.socket.StaleSocket;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.Unpooled;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The side of a NIC that the front end sees: a back end's socket. There is one front end at a time;
 * others wait in the listener's queue.
 *
 * <p>One thread at a time.
 */
final class FrontEndLink implements AutoCloseable {
  /** How long a front end may take for the rest of a message, and to make room for an answer. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final Duration CONNECTING = Duration.ofMillis(20);

  private final FrontEndAddress address;
  private final String name;
  private final DescriptorLedger ledger;
  private final @Nullable BackEndListener listener;
  private @Nullable BackEndConnection connection;

  /** Whether another process may have to go on with the connection. */
  private boolean kept;

  /** A duplicate of the connection's socket, where the NIC is saved; it is the same open file. */
  private @Nullable OwnedDescriptor handle;

  /**
   * A message of the front end.
   *
   * @param id in its header
   * @param request that it is
   * @param payload decoded, in its ranges
   * @param files as many as the message needs; the receiver closes them
   * @param needsReply whether an acknowledgement is asked for
   */
  record Message(
      int id,
      FrontEndRequest request,
      Payload payload,
      List<OwnedDescriptor> files,
      boolean needsReply) {}

  private FrontEndLink(
      FrontEndAddress address,
      String name,
      DescriptorLedger ledger,
      @Nullable BackEndListener listener) {
    this.address = address;
    this.name = name;
    this.ledger = ledger;
    this.listener = listener;
  }

  /**
   * Begins to listen, if the front end is to connect.
   *
   * @throws VhostException (GIVE_UP) if that is not possible
   */
  static FrontEndLink open(FrontEndAddress address, String name, DescriptorLedger ledger) {
    BackEndListener listener =
        switch (address) {
          case FrontEndAddress.Listen(var path) -> listen(path, ledger);
          case FrontEndAddress.Listening(var socket, var path) ->
              BackEndListener.adopt(socket, path, ledger);
          case FrontEndAddress.Connect _, FrontEndAddress.Connected _ -> null;
          case FrontEndAddress.Handed _ ->
              throw new IllegalArgumentException("the socket was not looked up: " + address);
        };
    return new FrontEndLink(address, name, ledger, listener);
  }

  private static BackEndListener listen(Path path, DescriptorLedger ledger) {
    StaleSocket.removeAt(path);
    return BackEndListener.listen(path, ledger);
  }

  boolean isConnected() {
    return connection != null;
  }

  /**
   * {@return the descriptor to poll for input; -1: there is none, {@link #come} is to be called}
   */
  int number() {
    if (connection != null) {
      return connection.number();
    }
    return listener == null ? -1 : listener.number();
  }

  /** {@return whether {@link #come} has to be called from time to time} */
  boolean connectsItself() {
    return listener == null;
  }

  /** {@return the socket of the front end; -1 if none is connected} This object keeps it. */
  int socket() {
    return connection == null ? -1 : connection.number();
  }

  /**
   * From now on connections are such that another process can go on with them: a message stays in
   * the socket until it is {@link #taken}.
   */
  void isKept() {
    kept = true;
  }

  /** Goes on with a front end that an earlier process has served; the socket is taken over. */
  void resume(OwnedDescriptor socket) {
    handle = socket.duplicate();
    connection = prepared(BackEndConnection.adopt(socket, name, ledger));
  }

  private BackEndConnection prepared(BackEndConnection opened) {
    if (kept) {
      opened.leaveInSocket();
    }
    return opened;
  }

  /** {@return the name of the front end's socket in the store; empty if there is no front end} */
  String saved(NicSaver saver) {
    BackEndConnection from = connection;
    if (from == null) {
      return "";
    }
    if (handle == null) {
      handle = saver.handleOf(from.number(), name + " to the front end");
    }
    return saver.name(handle);
  }

  /**
   * Looks for a front end.
   *
   * @return whether one is connected now
   */
  boolean come() {
    if (connection == null) {
      BackEndConnection came =
          listener == null ? connect() : listener.accept(Deadline.after(Duration.ofMillis(1)));
      connection = came == null ? null : prepared(came);
    }
    return connection != null;
  }

  private @Nullable BackEndConnection connect() {
    try {
      return switch (address) {
        case FrontEndAddress.Connect(var path) ->
            BackEndConnection.connect(path, name, ledger, Deadline.after(CONNECTING));
        case FrontEndAddress.Connected(var socket) when socket.isOpen() ->
            BackEndConnection.adopt(socket, name, ledger);
        default -> null;
      };
    } catch (VhostException e) {
      return null; // it is not there yet
    }
  }

  /**
   * {@return the next message}
   *
   * @throws VhostException if the front end has gone or sent something that is no message
   */
  Message receive() {
    BackEndConnection from = connection;
    if (from == null) {
      throw new IllegalStateException("no front end is connected");
    }
    Received received = from.receive(Deadline.after(PATIENCE));
    boolean taken = false;
    try {
      Message message = decode(received);
      taken = true;
      return message;
    } finally {
      if (!taken) {
        received.descriptors().forEach(OwnedDescriptor::close);
      }
    }
  }

  private Message decode(Received received) {
    Header header = received.header();
    FrontEndRequest request =
        Dialect.UPSTREAM
            .requestOf(header.request())
            .orElseThrow(() ->
                new ProtocolException(
                    "%s: the front end sent message %s, which does not exist"
                        .formatted(name, Integer.toUnsignedString(header.request()))));
    if (header.isReply() || !request.payload().accepts(header.size())) {
      throw new ProtocolException(
          "%s: the front end sent %s with flags 0x%x and %d bytes"
              .formatted(name, request, header.flags(), header.size()));
    }
    Payload payload =
        request.payload().decode(Unpooled.wrappedBuffer(received.payload()), header.size());
    List<OwnedDescriptor> files = received.descriptors();
    if (kept && !request.carriesDescriptors(payload)) {
      files.forEach(OwnedDescriptor::close); // duplicates of those of the next message
      files = List.of();
    }
    try {
      request.requireWellFormed(withoutOldNumber(request, payload), files.size());
    } catch (IllegalArgumentException e) {
      throw new ProtocolException("%s: the front end sent %s".formatted(name, e.getMessage()));
    }
    return new Message(header.request(), request, payload, files, header.needsReply());
  }

  /** DPDK's virtio-user leaves in its GET_VRING_BASE what it was answered about another ring. */
  private static Payload withoutOldNumber(FrontEndRequest request, Payload payload) {
    return request == FrontEndRequest.GET_VRING_BASE && payload instanceof VringState told
        ? new VringState(told.index(), 0)
        : payload;
  }

  /** Answers a message. */
  void answer(Message message, Payload payload) {
    BackEndConnection to = connection;
    if (to == null) {
      return;
    }
    byte[] bytes = new byte[payload.size()];
    payload.encode(Unpooled.wrappedBuffer(bytes).clear());
    to.reply(message.id(), Header.REPLY_FLAGS, bytes, List.of(), Deadline.after(PATIENCE));
  }

  /** Whatever the last message asked for is done. Nobody has to receive it again. */
  void taken() {
    if (connection != null) {
      connection.taken();
    }
  }

  /** Ends the connection to the front end. The next one may come. */
  void hangUp() {
    if (connection != null) {
      connection.close();
      connection = null;
    }
    if (handle != null) {
      handle.close();
      handle = null;
    }
  }

  /** Hangs up and stops listening. */
  @Override
  public void close() {
    hangUp();
    stopListening();
    if (address instanceof FrontEndAddress.Connected(var socket)) {
      socket.close(); // in case that it was never used
    }
  }

  /** Stops listening. A front end that is connected stays connected. */
  void stopListening() {
    if (listener != null) {
      listener.close();
    }
  }
}
