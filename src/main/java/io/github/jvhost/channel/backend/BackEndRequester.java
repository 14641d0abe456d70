package io.github.jvhost.channel.backend;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.Unpooled;
import java.util.List;

/**
 * The back end's end of the channel that came with SET_BACKEND_REQ_FD: requests out, answers in.
 * For mock back ends and scripted peers. One platform thread at a time.
 */
public final class BackEndRequester implements AutoCloseable {
  private final BackEndConnection connection;
  private final String name;

  private BackEndRequester(BackEndConnection connection, String name) {
    this.connection = connection;
    this.name = name;
  }

  /**
   * What the front end answered.
   *
   * @param request the id that is answered
   * @param result 0 is success
   * @param descriptors that came with it; the receiver closes them
   */
  public record BackEndAnswer(int request, long result, List<OwnedDescriptor> descriptors) {}

  /**
   * Takes over the socket that was received.
   *
   * @param socket closed with this object
   * @param name for messages
   * @param ledger where descriptors of answers are recorded
   * @return the requester, which the caller closes
   * @throws io.github.jvhost.VhostException (GIVE_UP) if it is no connected socket; it is closed
   */
  public static BackEndRequester adopt(
      OwnedDescriptor socket, String name, DescriptorLedger ledger) {
    return new BackEndRequester(BackEndConnection.adopt(socket, name, ledger), name);
  }

  /** {@return the socket's number, for a poll; -1 once it is closed} This object keeps it. */
  public int number() {
    return connection.number();
  }

  /**
   * Sends a request in one write.
   *
   * @param request its number is sent; whether it was negotiated is not checked
   * @param payload as on the wire
   * @param descriptors the caller keeps them
   * @param needReply whether an answer is asked for
   * @param deadline for the front end to make room
   * @throws DeadlineException if the front end does not read
   * @throws FrontEndGoneException if it is gone
   */
  public void send(
      BackEndRequest request,
      byte[] payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      Deadline deadline) {
    send(request.id(), payload, descriptors, needReply, deadline);
  }

  /**
   * The same for any number, for scripted faults.
   *
   * @param id any number, valid or not
   * @param payload as on the wire
   * @param descriptors the caller keeps them
   * @param needReply whether an answer is asked for
   * @param deadline for the front end to make room
   * @throws DeadlineException if the front end does not read
   * @throws FrontEndGoneException if it is gone
   */
  public void send(
      int id,
      byte[] payload,
      List<OwnedDescriptor> descriptors,
      boolean needReply,
      Deadline deadline) {
    int flags = needReply ? Header.VERSION | Header.NEED_REPLY : Header.VERSION;
    connection.reply(id, flags, payload, descriptors, deadline);
  }

  /**
   * Writes any bytes, valid or not; see {@link BackEndConnection#writeRaw}.
   *
   * @param bytes as they are sent
   * @param descriptors the caller keeps them; they are sent with the first byte, so there must be
   *     one
   * @param deadline for the front end to make room
   */
  public void writeRaw(byte[] bytes, List<OwnedDescriptor> descriptors, Deadline deadline) {
    connection.writeRaw(bytes, descriptors, deadline);
  }

  /**
   * {@return the next answer; the caller closes its descriptors}
   *
   * @param deadline for the whole answer to be there
   * @throws DeadlineException if none came in time; the call can be made again
   * @throws FrontEndGoneException if the front end has closed the channel
   * @throws ProtocolException if what came is no answer
   */
  public BackEndAnswer awaitAnswer(Deadline deadline) {
    Received received = connection.receive(deadline);
    Header header = received.header();
    if (header.flags() != Header.REPLY_FLAGS || header.size() != U64.SIZE) {
      received.descriptors().forEach(OwnedDescriptor::close);
      throw new ProtocolException(
          name
              + ": the answer to back-end request "
              + Integer.toUnsignedString(header.request())
              + " has flags 0x"
              + Integer.toHexString(header.flags())
              + " and "
              + header.size()
              + " bytes, expected 0x5 and 8");
    }
    long result = U64.decode(Unpooled.wrappedBuffer(received.payload()), header.size()).value();
    return new BackEndAnswer(header.request(), result, received.descriptors());
  }

  /** Closes the socket. A second call does nothing. */
  @Override
  public void close() {
    connection.close();
  }
}
