package io.github.jvhost.channel.backend;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * The back end's side of a connection: requests in, replies out. It is for mock back ends and
 * scripted peers. It does not know what a request means and checks only its header.
 *
 * <pre>
 *   read 1: at most 12 bytes, with the descriptors      read 2: at most "size" bytes, without
 *   +--------------+                                    +-----------------------------+
 *   | header       | fd fd ...                          | payload                     |
 *   +--------------+                                    +-----------------------------+
 * </pre>
 *
 * <p>One platform thread at a time.
 */
public final class BackEndConnection implements AutoCloseable {
  private final SocketStream stream;
  private final String name;
  private final ByteBuffer in = ByteBuffer.allocateDirect(Header.SIZE + Header.MAX_PAYLOAD);
  private final MemorySegment memory = MemorySegment.ofBuffer(in);
  private final ByteBuf view = Unpooled.wrappedBuffer(in.duplicate());
  private final ByteBuffer out = ByteBuffer.allocateDirect(SocketStream.MAX_WRITE);
  private final MemorySegment outMemory = MemorySegment.ofBuffer(out);

  /** How many bytes of the next message have come. */
  private int have;

  private final List<OwnedDescriptor> arrived = new ArrayList<>();

  private boolean leavesInSocket;

  /** How many bytes of received messages are still in the socket. */
  private int left;

  private BackEndConnection(SocketStream stream, String name) {
    this.stream = stream;
    this.name = name;
  }

  /** Takes over a connected socket. */
  static BackEndConnection adopt(AFUNIXSocketChannel socket, String name, DescriptorLedger ledger) {
    return new BackEndConnection(new SocketStream(socket, name, ledger), name);
  }

  /**
   * Takes over a connected socket that came as a descriptor.
   *
   * @param socket taken over, also if this fails
   * @param name for messages
   * @param ledger where the socket and received descriptors are recorded
   * @return the connection, which the caller closes
   * @throws io.github.jvhost.VhostException (GIVE_UP) if it is no connected AF_UNIX stream socket
   */
  public static BackEndConnection adopt(
      OwnedDescriptor socket, String name, DescriptorLedger ledger) {
    return adopt(AdoptedSocket.of(socket, name), name, ledger);
  }

  /**
   * Connects to a front end that listens, as back ends in client mode do.
   *
   * @param path of the front end's socket, at most 107 bytes
   * @param name for messages
   * @param ledger where the socket and received descriptors are recorded
   * @param deadline for the front end to make room for one more connection
   * @return the connection, which the caller closes
   * @throws io.github.jvhost.VhostException (RETRY) if there is no such socket or nobody listens,
   *     (GIVE_UP) if it can never work
   * @throws DeadlineException if there was no room in time
   */
  public static BackEndConnection connect(
      Path path, String name, DescriptorLedger ledger, Deadline deadline) {
    return adopt(Connector.connect(path, name, "front end", deadline), name, ledger);
  }

  /**
   * {@return the socket's number, for a {@link Poller}; -1 once it is closed} This object keeps it.
   */
  public int number() {
    return stream.number();
  }

  /**
   * {@return the next request; the caller closes its descriptors}
   *
   * @param deadline for the whole message to be there
   * @throws FrontEndGoneException when the front end has closed, between messages or inside one
   * @throws DeadlineException when no whole message came in time; the bytes that came are kept, and
   *     the call can be made again
   * @throws ProtocolException if a header is invalid, or descriptors came after the first byte of a
   *     message
   */
  public Received receive(Deadline deadline) {
    fill(Header.SIZE, "header", deadline);
    Header decoded = decode();
    fill(Header.SIZE + decoded.size(), "payload of message " + decoded.request(), deadline);
    byte[] payload = new byte[decoded.size()];
    in.get(Header.SIZE, payload);
    Received received = new Received(decoded, payload, List.copyOf(arrived));
    arrived.clear();
    left += leavesInSocket ? have : 0;
    have = 0;
    return received;
  }

  /**
   * From now on a message that was received stays in the socket until it is {@link #taken}. If this
   * process is killed before that, the next one that has the socket receives the message again,
   * with its descriptors.
   *
   * @throws SystemCallException when the socket cannot do that
   */
  public void leaveInSocket() {
    stream.leaveInSocket();
    leavesInSocket = true;
  }

  /** The messages that were received are not needed in the socket any more. */
  public void taken() {
    if (left > 0) {
      stream.discard(memory, left);
      left = 0;
    }
  }

  private Header decode() {
    try {
      return Header.decode(view.setIndex(0, Header.SIZE));
    } catch (ProtocolException e) {
      closeArrived();
      throw e;
    }
  }

  /** Reads until this many bytes of the message are there. */
  private void fill(int end, String what, Deadline deadline) {
    while (have < end) {
      boolean first = have == 0;
      int before = arrived.size();
      int count;
      try {
        count = stream.read(memory, have, end - have, arrived);
      } catch (SystemCallException e) {
        closeArrived();
        throw new FrontEndGoneException(
            name + ": receiving the " + what + ": " + e.getMessage(), e);
      } catch (RuntimeException e) {
        closeArrived();
        throw e;
      }
      if (count < 0) {
        closeArrived();
        throw new FrontEndGoneException(
            name + ": receiving the " + what + ": the front end closed the connection", null);
      }
      if (!first && leavesInSocket) {
        // Each look at the bytes of one write brings duplicates of its descriptors.
        List<OwnedDescriptor> again = arrived.subList(before, arrived.size());
        again.forEach(OwnedDescriptor::close);
        again.clear();
      } else if (!first && arrived.size() > before) {
        closeArrived();
        throw new ProtocolException(
            name + ": receiving the " + what + ": descriptors in the middle of a message");
      }
      have += count;
      if (count == 0 && stream.await(Poller.IN, deadline.remainingNanos()) == 0) {
        throw new DeadlineException(
            name + ": receiving the " + what + ": nothing within " + deadline);
      }
    }
  }

  /**
   * {@return whether no byte of a next message has been read} Where {@link #receive} throws {@link
   * FrontEndGoneException}, this tells an ordinary end of the connection from half a message.
   */
  public boolean isBetweenMessages() {
    return have == 0;
  }

  private void closeArrived() {
    arrived.forEach(OwnedDescriptor::close);
    arrived.clear();
  }

  /**
   * Sends an answer in one write.
   *
   * @param request the id that is answered; any id is sent, for scripted faults
   * @param flags as on the wire; a correct answer has {@link Header#REPLY_FLAGS}
   * @param payload as on the wire
   * @param descriptors the caller keeps them; they are sent with the first byte
   * @param deadline for the front end to make room
   * @throws DeadlineException if the front end does not read
   * @throws FrontEndGoneException if it is gone
   */
  public void reply(
      int request,
      int flags,
      byte[] payload,
      List<OwnedDescriptor> descriptors,
      Deadline deadline) {
    byte[] message = new byte[Header.SIZE + payload.length];
    var out = Unpooled.wrappedBuffer(message).clear();
    Header.encode(out, request, flags, payload.length);
    System.arraycopy(payload, 0, message, Header.SIZE, payload.length);
    writeRaw(message, descriptors, deadline);
  }

  /**
   * Writes any bytes, valid or not.
   *
   * @param bytes as they are sent
   * @param descriptors the caller keeps them; they are sent with the first byte, so there must be
   *     one
   * @param deadline for the front end to make room
   * @throws DeadlineException if the front end does not read
   * @throws FrontEndGoneException if it is gone
   */
  public void writeRaw(byte[] bytes, List<OwnedDescriptor> descriptors, Deadline deadline) {
    if (bytes.length == 0 && !descriptors.isEmpty()) {
      throw new IllegalArgumentException("descriptors need a byte to be sent with");
    }
    List<OwnedDescriptor> travelling = descriptors;
    int at = 0;
    while (at < bytes.length) {
      int length = Math.min(stream.maxWrite(), bytes.length - at);
      out.put(0, bytes, at, length);
      int count;
      try {
        count = stream.write(outMemory, 0, length, travelling);
      } catch (SystemCallException e) {
        throw new FrontEndGoneException(
            name + ": sending " + bytes.length + " bytes: the front end is gone", e);
      }
      if (count > 0) {
        at += count;
        travelling = List.of();
      } else if ((stream.await(Poller.OUT, deadline.remainingNanos()) & ~Poller.IN) == 0) {
        throw new DeadlineException(
            name + ": sending " + bytes.length + " bytes: the front end did not read them");
      }
    }
  }

  /** Closes the socket and the descriptors that were not handed out. */
  @Override
  public void close() {
    closeArrived();
    stream.close();
  }
}
