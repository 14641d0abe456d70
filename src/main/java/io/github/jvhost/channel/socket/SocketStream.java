package io.github.jvhost.channel.socket;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.sys.io.SocketIo;
import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.StandardSocketOptions;
import java.util.List;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.FileDescriptorCast;

/**
 * A connected socket. The socket library makes and closes it. {@link SocketIo} sends and receives
 * messages on the same descriptor, because the library loses descriptors (at EAGAIN and on virtual
 * threads), leaks those that do not fit, and makes a dozen objects for each.
 *
 * <pre>
 *   what the library does                               what is done here
 *   after its close the number is free for others       number() is -1 then
 *   a socket made from a number is not closed by its    closed by hand, unless an error did it
 *   close
 * </pre>
 *
 * <p>Only {@link #await} waits. One thread at a time.
 */
public final class SocketStream implements AutoCloseable {
  /** Descriptors that one message may carry; more end the connection. */
  static final int MAX_DESCRIPTORS = 8;

  /**
   * Most bytes of one write. After POLLOUT (at least three quarters of the send buffer are free,
   * Linux net/unix) this much can be written without blocking, with the default buffer of 208 KiB.
   */
  public static final int MAX_WRITE = 32 * 1024;

  private static final int SEND_BUFFER_SHARE = 4;
  private static final int END = -1;

  private final AFUNIXSocketChannel socket;
  private final SocketIo io;
  private final DescriptorLedger ledger;
  private final Poller poller = new Poller(2);
  private final FileDescriptor descriptor;
  private final long entry;
  private int number;
  private boolean otherReady;
  private final int maxWrite;

  /**
   * Takes over the socket, also if it throws.
   *
   * @param socket connected
   * @param name for messages
   * @param ledger where the socket and received descriptors are recorded
   * @throws VhostException (RECONNECT) if the socket cannot be used
   */
  public SocketStream(AFUNIXSocketChannel socket, String name, DescriptorLedger ledger) {
    this.socket = socket;
    this.io = new SocketIo(name);
    this.ledger = ledger;
    FileDescriptor own = new FileDescriptor();
    try {
      own = socket.getFileDescriptor();
      descriptor = own;
      number = numberOf(own);
      // A socket that was taken over may have a small buffer. Then writes are small too.
      int share = socket.getOption(StandardSocketOptions.SO_SNDBUF) / SEND_BUFFER_SHARE;
      maxWrite = Math.min(MAX_WRITE, share);
      entry = ledger.opened(number, "socket " + name);
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

  /** {@return the socket's number, or -1 (which no poll ever reports) once it is closed} */
  public int number() {
    return number;
  }

  /**
   * {@return how many bytes one write may have without blocking; a single message may exceed it}
   */
  public int maxWrite() {
    return maxWrite;
  }

  /**
   * Waits for {@link Poller#IN} or {@link Poller#OUT}.
   *
   * @param events one of them, or both
   * @param nanos the longest wait
   * @return what is ready, 0 when the time is over
   */
  public int await(int events, long nanos) {
    return await(events, nanos, -1);
  }

  /**
   * The same, but also ends when another socket has something to read: {@link #otherReady}.
   *
   * @param events {@link Poller#IN}, {@link Poller#OUT}, or both
   * @param nanos the longest wait
   * @param other the number of the other socket; -1: none
   * @return what is ready of this socket, 0 when nothing is or the time is over
   */
  public int await(int events, long nanos, int other) {
    otherReady = false;
    poller.clear();
    int index = poller.add(number, events);
    int otherIndex = poller.add(other, Poller.IN);
    if (poller.await(nanos) == 0) {
      return 0;
    }
    otherReady = poller.ready(otherIndex) != 0;
    return poller.ready(index);
  }

  /**
   * {@return whether the last wait found that the other socket has something to read, or was closed
   * by its peer}
   */
  public boolean otherReady() {
    return otherReady;
  }

  /**
   * Reads once what is there; never waits.
   *
   * @param into native memory
   * @param from where in it, in bytes
   * @param length 1 or more, in bytes
   * @param arrived gets the descriptors that came with it; the caller closes them, also on failure
   * @return bytes, 0 if nothing is there, or -1 at the end of the stream
   * @throws ProtocolException if more than eight descriptors came; none is kept then
   * @throws SystemCallException the peer has reset the connection
   */
  public int read(MemorySegment into, long from, int length, List<OwnedDescriptor> arrived) {
    int before = arrived.size();
    int count = io.receive(number, into, from, length, ledger, arrived);
    requireFew(arrived, before);
    return count == SocketIo.WOULD_BLOCK ? 0 : count == 0 ? END : count;
  }

  /**
   * The same, for a caller that expects nothing. A socket error is not thrown; the next read
   * returns the end of the stream.
   *
   * @param into native memory
   * @param from where in it, in bytes
   * @param length 1 or more, in bytes
   * @param arrived gets the descriptors that came with it; the caller closes them, also on failure
   * @return bytes, 0 if nothing is there, or -1 at the end of the stream
   * @throws ProtocolException if more than eight descriptors came; none is kept then
   */
  public int readIfAny(MemorySegment into, long from, int length, List<OwnedDescriptor> arrived) {
    int before = arrived.size();
    int count = io.receiveIfAny(number, into, from, length, ledger, arrived);
    requireFew(arrived, before);
    return count == SocketIo.WOULD_BLOCK ? 0 : count == 0 ? END : count;
  }

  /**
   * From now on what is read stays in the socket, so that another process that has the socket can
   * read it again: until {@link #discard}.
   *
   * @throws SystemCallException when the socket cannot do that
   */
  public void leaveInSocket() {
    io.leaveInSocket(number);
  }

  /**
   * Takes bytes out of the socket that were read while they stayed in it.
   *
   * @param scratch native memory, of at least so many bytes; overwritten
   * @param length in bytes
   * @throws SystemCallException the peer has reset the connection
   */
  public void discard(MemorySegment scratch, int length) {
    io.discard(number, scratch, length);
  }

  private static void requireFew(List<OwnedDescriptor> arrived, int before) {
    int came = arrived.size() - before;
    if (came > MAX_DESCRIPTORS) {
      List<OwnedDescriptor> these = arrived.subList(before, arrived.size());
      these.forEach(OwnedDescriptor::close);
      these.clear();
      throw new ProtocolException(
          came + " descriptors with one message, at most " + MAX_DESCRIPTORS);
    }
  }

  /**
   * Writes once as much as there is room for; never waits. Descriptors are sent with the first
   * byte.
   *
   * @param bytes native memory
   * @param from where in it, in bytes
   * @param length 1 or more, in bytes
   * @param descriptors their owner keeps them
   * @return bytes written; 0 if there was no room and nothing was sent
   * @throws SystemCallException the peer is gone
   * @throws IllegalStateException if a descriptor is closed
   */
  public int write(MemorySegment bytes, long from, int length, List<OwnedDescriptor> descriptors) {
    return Math.max(0, io.send(number, bytes, from, length, descriptors));
  }

  /** Closes socket and poller. A second call does nothing. */
  @Override
  public void close() {
    number = -1;
    closeQuietly(socket);
    AdoptedSocket.close(descriptor);
    ledger.closed(entry);
    poller.close();
  }

  static void closeQuietly(Closeable resource) {
    try {
      resource.close();
    } catch (IOException _) {
      // Closing a stream socket cannot lose data.
    }
  }
}
