package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.Poller;
import java.io.FileDescriptor;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.FileDescriptorCast;

/**
 * A connected socket with everything that must be known about the library behind it. One thread at
 * a time.
 *
 * <pre>
 *   trap                                             what is done here
 *   a non-blocking write at EAGAIN drops descriptors  blocking mode, a poll before each write
 *   received descriptors die with the channel         duplicated at once, the originals closed
 *   they are not close-on-exec                        the duplicates are
 *   the default ancillary buffer is 0                 256 bytes, the library's most: 60 descriptors
 *   with more than 60 the read fails, and those that  the connection ends; the one leak that
 *   fitted stay open under unknown numbers            cannot be helped from here
 *   a read time-out looks like the end of the stream  deadlines by ppoll on the socket's number
 *   after an error the number is free for others      number() is -1 then
 *   a socket made from a number is not closed by      closed by hand, unless an error did it
 *   its close
 * </pre>
 */
final class SocketStream implements AutoCloseable {
  /** Descriptors that one message may carry; more end the connection. */
  static final int MAX_DESCRIPTORS = 8;

  /**
   * Bytes of one write. After POLLOUT (at least three quarters of the send buffer free, Linux
   * net/unix) so much goes in without blocking, given the default buffer of 208 KiB.
   */
  static final int MAX_WRITE = 32 * 1024;

  private static final int ANCILLARY_BYTES = 256;
  private static final int SEND_BUFFER_SHARE = 4;

  private final AFUNIXSocketChannel socket;
  private final String name;
  private final DescriptorLedger ledger;
  private final Poller poller = new Poller(2);
  private final FileDescriptor descriptor;
  private final int number;
  private boolean otherReady;
  private final int maxWrite;

  /** Takes the socket over, also when it throws. */
  SocketStream(AFUNIXSocketChannel socket, String name, DescriptorLedger ledger) {
    this.socket = socket;
    this.name = name;
    this.ledger = ledger;
    FileDescriptor own = new FileDescriptor();
    try {
      own = socket.getFileDescriptor();
      descriptor = own;
      socket.configureBlocking(true);
      socket.ensureAncillaryReceiveBufferSize(ANCILLARY_BYTES);
      number = numberOf(own);
      // A socket that was handed to us may have a small buffer; then so are the writes.
      int share = socket.getOption(StandardSocketOptions.SO_SNDBUF) / SEND_BUFFER_SHARE;
      maxWrite = Math.min(MAX_WRITE, share);
    } catch (IOException e) {
      closeQuietly(socket);
      AdoptedSocket.close(own);
      poller.close();
      throw new VhostException(
          name + ": preparing the socket: " + e.getMessage(), Recovery.RECONNECT, e);
    }
  }

  static int numberOf(FileDescriptor descriptor) throws IOException {
    return FileDescriptorCast.using(descriptor).as(Integer.class);
  }

  /** The socket's number, or -1 (which no poll ever reports) once it is closed. */
  int number() {
    return socket.isOpen() ? number : -1;
  }

  /** Bytes that one write may have without blocking; a single message may exceed it. */
  int maxWrite() {
    return maxWrite;
  }

  /**
   * Waits for {@link Poller#IN} or {@link Poller#OUT}; answers what is ready, 0 when the time is
   * over.
   */
  int await(int events, long nanos) {
    return await(events, nanos, -1);
  }

  /**
   * The same, and ends too when another socket has something to read: {@link #otherReady}.
   *
   * @param other its number; -1: none
   */
  int await(int events, long nanos, int other) {
    otherReady = false;
    if (!socket.isOpen()) {
      // The library closes a socket whose peer is gone; the number may be somebody else's by now.
      return Poller.HUP;
    }
    poller.clear();
    int index = poller.add(number, events);
    int otherIndex = poller.add(other, Poller.IN);
    if (poller.await(nanos) == 0) {
      return 0;
    }
    otherReady = poller.ready(otherIndex) != 0;
    return poller.ready(index);
  }

  /** Whether the last wait found that the other socket has something to read, or is over. */
  boolean otherReady() {
    return otherReady;
  }

  /**
   * Reads once what is there; only after a poll said that there is something.
   *
   * @param arrived takes duplicates of the descriptors that came with it; the caller's to close,
   *     also on failure
   * @return bytes, or -1 at the end of the stream
   * @throws ProtocolException if more than eight descriptors came; none is kept then
   */
  int read(ByteBuffer into, List<OwnedDescriptor> arrived) throws IOException {
    int count = socket.read(into);
    FileDescriptor[] received = socket.getReceivedFileDescriptors();
    if (received != null && received.length > 0) {
      take(received, arrived);
    }
    return count;
  }

  private void take(FileDescriptor[] received, List<OwnedDescriptor> arrived) throws IOException {
    try {
      if (received.length > MAX_DESCRIPTORS) {
        throw new ProtocolException(
            received.length + " descriptors with one message, at most " + MAX_DESCRIPTORS);
      }
      for (FileDescriptor one : received) {
        arrived.add(
            OwnedDescriptor.duplicateOf(ledger, numberOf(one), "descriptor received by " + name));
      }
    } finally {
      for (FileDescriptor one : received) {
        AdoptedSocket.close(one);
      }
    }
  }

  /**
   * Writes once; only after a poll said {@link Poller#OUT}. Descriptors travel with the first byte.
   *
   * @param descriptors borrowed; the numbers are taken now
   * @return bytes written
   * @throws IllegalStateException if a descriptor is closed, or if some are to travel and this is a
   *     virtual thread: the library loses them there
   */
  int write(ByteBuffer bytes, List<OwnedDescriptor> descriptors) throws IOException {
    if (descriptors.isEmpty()) {
      return socket.write(bytes);
    }
    requirePlatformThread();
    List<FileDescriptor> outbound = new ArrayList<>(descriptors.size());
    for (OwnedDescriptor one : descriptors) {
      outbound.add(FileDescriptorCast.unsafeUsing(one.number()).getFileDescriptor());
    }
    socket.setOutboundFileDescriptors(outbound.toArray(FileDescriptor[]::new));
    return socket.write(bytes);
  }

  static void requirePlatformThread() {
    if (Thread.currentThread().isVirtual()) {
      throw new IllegalStateException(
          "descriptors are sent from platform threads only: on virtual ones they get lost");
    }
  }

  /** Closes socket and poller; a second time does nothing. */
  @Override
  public void close() {
    closeQuietly(socket);
    AdoptedSocket.close(descriptor);
    poller.close();
  }

  static void closeQuietly(AutoCloseable resource) {
    try {
      resource.close();
    } catch (VhostException e) {
      throw e;
    } catch (Exception _) {
      // A stream socket has nothing left to lose at its close.
    }
  }
}
