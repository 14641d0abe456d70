package io.github.jvhost.sys.io;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;

/**
 * sendmsg and recvmsg on a connected socket, with descriptors (SCM_RIGHTS). Neither ever waits,
 * whatever the mode of the socket. Neither allocates, except for received descriptors.
 *
 * <pre>
 *   struct msghdr                                 struct iovec
 *   0      8         16    24        32        40           48      56    0      8        16
 *   | name | namelen | iov | iovlen  | control | controllen | flags |     | base | length |
 *
 *   control: struct cmsghdr, one of them
 *   0               8            12           16
 *   | 16 + 4n (u64) | SOL_SOCKET | SCM_RIGHTS | n numbers of 4 bytes |
 * </pre>
 *
 * <p>If the kernel takes nothing (EAGAIN), the caller can send the descriptors again. Received
 * descriptors are close-on-exec from the start. There is room for the most descriptors that the
 * kernel delivers at once, so that none is installed without being recorded.
 *
 * <p>The socket is borrowed. For one thread at a time.
 */
public final class SocketIo {
  /** The result of {@link #send} and {@link #receive} when they would have to wait. */
  public static final int WOULD_BLOCK = -1;

  /** The most descriptors that the kernel delivers with one message (SCM_MAX_FD). */
  public static final int MOST_DESCRIPTORS = 253;

  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_PEEK = 2;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;

  private static final long MSGHDR_BYTES = 56;
  private static final long IOV = 16;
  private static final long IOV_LENGTH = 24;
  private static final long CONTROL = 32;
  private static final long CONTROL_LENGTH = 40;
  private static final long IOVEC_BYTES = 16;
  private static final long CMSG_HEADER = 16;

  /**
   * Room for other control messages that may be enabled on a socket: credentials, a security label.
   */
  private static final long OTHERS = 256;

  private static final long CONTROL_BYTES = CMSG_HEADER + 4 * (MOST_DESCRIPTORS + 1) + OTHERS;

  private final String name;
  private final MemorySegment header;
  private final MemorySegment vector;
  private final MemorySegment control;
  private final MemorySegment state;

  /** MSG_PEEK, if what is received stays in the socket. */
  private int peek;

  /**
   * Makes the object for one socket.
   *
   * @param name of the connection, for messages
   */
  public SocketIo(String name) {
    this.name = name;
    // The garbage collector frees it: closing a shared arena stops all threads for a moment.
    Arena arena = Arena.ofAuto();
    this.header = arena.allocate(MSGHDR_BYTES, Long.BYTES);
    this.vector = arena.allocate(IOVEC_BYTES, Long.BYTES);
    this.control = arena.allocate(CONTROL_BYTES, Long.BYTES);
    this.state = arena.allocate(Linux.CALL_STATE);
    header.set(JAVA_LONG, IOV, vector.address());
    header.set(JAVA_LONG, IOV_LENGTH, 1);
  }

  /**
   * Sends as many of the bytes as fit.
   *
   * @param socket its number, borrowed
   * @param bytes native memory
   * @param from offset of the first byte in it
   * @param length 1 or more, in bytes
   * @param descriptors are sent with the first byte; the caller keeps them
   * @return the number of bytes sent, with the descriptors; or {@link #WOULD_BLOCK} when nothing
   *     was sent
   * @throws SystemCallException the peer has closed the connection (EPIPE, ECONNRESET), or this is
   *     not a socket
   * @throws IllegalStateException a descriptor is closed; nothing was sent
   */
  public int send(
      int socket, MemorySegment bytes, long from, int length, List<OwnedDescriptor> descriptors) {
    point(bytes, from, length);
    int count = descriptors.size();
    if (count > MOST_DESCRIPTORS) {
      throw new IllegalArgumentException(count + " descriptors in one message");
    }
    for (int i = 0; i < count; i++) {
      control.set(JAVA_INT, CMSG_HEADER + 4L * i, descriptors.get(i).number());
    }
    if (count > 0) {
      control.set(JAVA_LONG, 0, CMSG_HEADER + 4L * count);
      control.set(JAVA_INT, 8, SOL_SOCKET);
      control.set(JAVA_INT, 12, SCM_RIGHTS);
    }
    header.set(JAVA_LONG, CONTROL, count == 0 ? 0 : control.address());
    header.set(JAVA_LONG, CONTROL_LENGTH, count == 0 ? 0 : spaceOf(count));
    long result;
    try {
      do {
        result = Linux.sendmsg(state, socket, header, MSG_DONTWAIT | MSG_NOSIGNAL);
      } while (result == -Linux.EINTR);
    } finally {
      Reference.reachabilityFence(bytes); // the kernel used only its address
    }
    return outcome(result, "send %d bytes", length, "sendmsg");
  }

  /**
   * Receives the available bytes, up to a length.
   *
   * @param socket its number, borrowed
   * @param bytes native memory
   * @param from offset of the first byte in it
   * @param length 1 or more, in bytes
   * @param ledger records the received descriptors
   * @param arrived receives the descriptors; the caller closes them, also when this throws
   * @return the number of bytes, 0 at the end of the stream, or {@link #WOULD_BLOCK}
   * @throws SystemCallException the peer has reset the connection, or this is not a socket
   */
  public int receive(
      int socket,
      MemorySegment bytes,
      long from,
      int length,
      DescriptorLedger ledger,
      List<OwnedDescriptor> arrived) {
    long result = received(socket, bytes, from, length, ledger, arrived, true);
    return outcome(result, "receive up to %d bytes", length, "recvmsg");
  }

  /**
   * As {@link #receive}, for when probably nothing is available. It treats an error as if nothing
   * were available. The next call then finds that the connection is over, but not always the
   * reason: the kernel reports a reset once, and afterwards the end of the stream. This method
   * makes one system call when nothing is available; {@link #receive} makes two.
   *
   * @param socket its number, borrowed
   * @param bytes native memory
   * @param from offset of the first byte in it
   * @param length 1 or more, in bytes
   * @param ledger records the received descriptors
   * @param arrived receives the descriptors; the caller closes them
   * @return the number of bytes, 0 at the end of the stream, or {@link #WOULD_BLOCK} when nothing
   *     was available or the call failed
   */
  public int receiveIfAny(
      int socket,
      MemorySegment bytes,
      long from,
      int length,
      DescriptorLedger ledger,
      List<OwnedDescriptor> arrived) {
    long result = received(socket, bytes, from, length, ledger, arrived, false);
    return result < 0 ? WOULD_BLOCK : (int) result;
  }

  /**
   * From now on what is received stays in the socket, until {@link #discard}. Each call goes on
   * behind what the one before has received; the first one begins with what was not discarded.
   *
   * @param socket its number, borrowed; whoever has a duplicate of it shares the position
   * @throws SystemCallException when it is no socket that can do that
   */
  public void leaveInSocket(int socket) {
    Linux.check(
        Linux.peekFrom(socket, 0), name + ": let messages stay in the socket", "setsockopt");
    peek = MSG_PEEK;
  }

  /**
   * Takes bytes out of the socket that were received while they stayed in it. Descriptors that came
   * with them are dropped: each receive has made duplicates.
   *
   * @param socket its number, borrowed
   * @param scratch native memory, of at least so many bytes
   * @param length in bytes
   * @throws SystemCallException the connection is reset, or this is not a socket
   */
  public void discard(int socket, MemorySegment scratch, int length) {
    for (int done = 0; done < length; ) {
      point(scratch, 0, length - done);
      header.set(JAVA_LONG, CONTROL, 0);
      header.set(JAVA_LONG, CONTROL_LENGTH, 0);
      long result = Linux.recvmsg(state, socket, header, MSG_DONTWAIT);
      if (result != -Linux.EINTR) {
        done += Math.max(1, outcome(result, "take %d bytes", length, "recvmsg"));
      }
    }
  }

  /**
   * Calls recvmsg, with all the room for descriptors.
   *
   * @param why whether to return the errno of a failure
   * @return the number of bytes, or the negated errno; without {@code why}, any negative number for
   *     a failure
   */
  private long received(
      int socket,
      MemorySegment bytes,
      long from,
      int length,
      DescriptorLedger ledger,
      List<OwnedDescriptor> arrived,
      boolean why) {
    point(bytes, from, length);
    header.set(JAVA_LONG, CONTROL, control.address());
    header.set(JAVA_LONG, CONTROL_LENGTH, CONTROL_BYTES);
    int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | peek;
    long result;
    try {
      do {
        result =
            why
                ? Linux.recvmsg(state, socket, header, flags)
                : Linux.tryRecvmsg(socket, header, flags);
      } while (why && result == -Linux.EINTR);
    } finally {
      Reference.reachabilityFence(bytes);
    }
    if (result > 0 && header.get(JAVA_LONG, CONTROL_LENGTH) >= CMSG_HEADER) {
      take(ledger, arrived);
    }
    return result;
  }

  private void point(MemorySegment bytes, long from, int length) {
    if (length < 1 || from < 0 || from + length > bytes.byteSize() || !bytes.isNative()) {
      throw new IllegalArgumentException("%d bytes from %d of %s".formatted(length, from, bytes));
    }
    vector.set(JAVA_LONG, 0, bytes.address() + from);
    vector.set(JAVA_LONG, Long.BYTES, length);
  }

  /**
   * Takes the received descriptors. Skips other control messages, such as credentials, which may be
   * enabled on a socket from outside.
   */
  private void take(DescriptorLedger ledger, List<OwnedDescriptor> arrived) {
    long end = header.get(JAVA_LONG, CONTROL_LENGTH);
    long at = 0;
    while (at + CMSG_HEADER <= end) {
      long length = control.get(JAVA_LONG, at);
      if (control.get(JAVA_INT, at + 8) == SOL_SOCKET
          && control.get(JAVA_INT, at + 12) == SCM_RIGHTS) {
        for (long one = at + CMSG_HEADER;
            one + Integer.BYTES <= at + length;
            one += Integer.BYTES) {
          int number = control.get(JAVA_INT, one);
          arrived.add(OwnedDescriptor.adopt(ledger, number, "descriptor received by " + name));
        }
      }
      at += Math.max(CMSG_HEADER, (length + 7) & ~7L);
    }
  }

  private int outcome(long result, String doing, int length, String call) {
    if (result >= 0) {
      return (int) result;
    }
    if (result == -Linux.EAGAIN) {
      return WOULD_BLOCK;
    }
    throw new SystemCallException(name + ": " + doing.formatted(length), call, (int) -result);
  }

  /** CMSG_SPACE: the header and the numbers, up to the next multiple of 8. */
  private static long spaceOf(int descriptors) {
    return CMSG_HEADER + ((4L * descriptors + 7) & ~7L);
  }
}
