package io.github.jvhost.sys.io;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * All downcall handles of the library, with one method for each.
 *
 * <p>Every method returns what the kernel returns: a result that is not negative, or the negated
 * errno. The linker captures errno in the same transition as the call, because the JVM may use libc
 * before the next line of Java. For frequent calls (poll, eventfd read and write) the caller passes
 * the segment that receives errno, so that they allocate nothing. The other methods allocate the
 * segment.
 *
 * <p>Calls of a stop window first run without capturing errno, and with addresses as numbers: a
 * capture allocates an object until C2 has compiled it. If such a call fails, it is made again with
 * a capture, to learn the reason. All of these calls may be repeated after a failure. If the second
 * call succeeds, its result counts.
 *
 * <p>The handles are created when this class is loaded. Creating one at its first call would cost
 * milliseconds in the stop window.
 */
@SuppressWarnings("restricted") // only this class makes restricted calls to libc
public final class Linux {
  public static final int EINTR = 4;
  public static final int EBADF = 9;
  public static final int EAGAIN = 11;
  static final int EEXIST = 17;
  public static final int EINVAL = 22;
  static final int EPIPE = 32;

  public static final int F_SETFD = 2;
  public static final int F_GETFL = 3;
  public static final int F_SETFL = 4;
  public static final int F_DUPFD_CLOEXEC = 1030;
  public static final int F_ADD_SEALS = 1033;
  public static final int F_GET_SEALS = 1034;
  public static final int FD_CLOEXEC = 1;
  public static final int O_ACCMODE = 3;
  public static final int O_RDWR = 2;
  public static final int O_NOCTTY = 0x100;
  public static final int O_NONBLOCK = 0x800;

  /** A descriptor that only names a file, and can neither read nor write it. */
  public static final int O_PATH = 0x200000;

  static final int EPOLL_CTL_ADD = 1;
  static final int EPOLL_CTL_MOD = 3;
  public static final int F_SEAL_SEAL = 1;
  public static final int F_SEAL_SHRINK = 2;
  public static final int F_SEAL_GROW = 4;

  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int O_CLOEXEC = 0x80000;
  private static final int EFD_CLOEXEC = O_CLOEXEC;
  private static final int EFD_NONBLOCK = O_NONBLOCK;
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM_CLOEXEC = 1 | O_CLOEXEC;
  private static final int SOL_SOCKET = 1;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SO_PEERCRED = 17;
  private static final int SO_PEEK_OFF = 42;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_SHARED = 1;

  /*
   * struct stat. Of what is read only the mode has another offset on another machine:
   *
   *          0     8     16         20    24         28    48        144 (x86-64)
   *   x86-64 | dev | ino | nlink          | mode u32 | ... | st_size | ...
   *   arm64  | dev | ino | mode u32 | nlink    | ...       | st_size | ... 128
   */
  private static final long STAT_BYTES = 144;
  private static final long STAT_INODE = 8;
  private static final long STAT_MODE = System.getProperty("os.arch", "").equals("amd64") ? 24 : 16;
  private static final long STAT_SIZE = 48;

  private static final Linker LINKER = Linker.nativeLinker();

  /** The layout of a segment for a captured errno. */
  public static final MemoryLayout CALL_STATE = Linker.Option.captureStateLayout();

  private static final long ERRNO = CALL_STATE.byteOffset(PathElement.groupElement("errno"));

  private static final MethodHandle CLOSE = call("close", JAVA_INT, JAVA_INT);
  private static final MethodHandle FCNTL =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("fcntl"),
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
          Linker.Option.captureCallState("errno"),
          Linker.Option.firstVariadicArg(2));

  /** The argument is a long: an address or a number. */
  private static final MethodHandle IOCTL =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("ioctl"),
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG),
          Linker.Option.captureCallState("errno"),
          Linker.Option.firstVariadicArg(2));

  private static final MethodHandle OPEN = call("open", JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle FSTAT = call("fstat", JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle FTRUNCATE = call("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MEMFD_CREATE =
      call("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle EVENTFD = call("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle PIPE2 = call("pipe2", JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle SOCKETPAIR =
      call("socketpair", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle GETSOCKOPT =
      call("getsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
  private static final MethodHandle SETSOCKOPT =
      call("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle READ = call("read", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle PREAD =
      call("pread", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PWRITE =
      call("pwrite", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle WRITE = call("write", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle SENDMSG =
      call("sendmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle RECVMSG =
      call("recvmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle PLAIN_SENDMSG =
      plainCall("sendmsg", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  private static final MethodHandle PLAIN_RECVMSG =
      plainCall("recvmsg", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  private static final MethodHandle PLAIN_WRITE =
      plainCall("write", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PLAIN_PPOLL =
      plainCall("ppoll", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PLAIN_EPOLL_CTL =
      plainCall("epoll_ctl", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle PLAIN_EPOLL_WAIT =
      plainCall("epoll_wait", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT);
  private static final MethodHandle EPOLL_CREATE = call("epoll_create1", JAVA_INT, JAVA_INT);
  private static final MethodHandle EPOLL_CTL =
      call("epoll_ctl", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle EPOLL_WAIT =
      call("epoll_wait", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
  private static final MethodHandle PPOLL =
      call("ppoll", JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS);
  private static final MethodHandle MMAP =
      call("mmap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MUNMAP = call("munmap", JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle MINCORE =
      call("mincore", JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS);
  private static final MethodHandle GETPAGESIZE = call("getpagesize", JAVA_INT);

  /** The host's page size in bytes. The page of the protocol (dirty log) always has 4096 bytes. */
  public static final int PAGE_SIZE = pageSize();

  private Linux() {}

  public static int close(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result((int) CLOSE.invokeExact(state, fd), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  public static int fcntl(int fd, int command, int argument) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result((int) FCNTL.invokeExact(state, fd, command, argument), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Opens a file that exists, close-on-exec. */
  public static int open(String path, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment cPath = arena.allocateFrom(path);
      return result((int) OPEN.invokeExact(state, cPath, flags | O_CLOEXEC), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /**
   * An ioctl, with an argument that is an address or a number.
   *
   * @param state receives errno
   * @param argument of an address: its segment stays reachable until this returns
   */
  public static int ioctl(MemorySegment state, int fd, long request, long argument) {
    try {
      return result((int) IOCTL.invokeExact(state, fd, request, argument), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** The size of a file in bytes, by fstat. */
  public static long fileSize(int fd) {
    long[] stat = new long[4];
    int result = fstat(fd, stat);
    return result < 0 ? result : stat[2];
  }

  /**
   * Looks at an open file.
   *
   * @param into gets its device, its inode, its size in bytes and its mode, in this order
   */
  static int fstat(int fd, long[] into) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment stat = arena.allocate(STAT_BYTES, Long.BYTES);
      int result = result((int) FSTAT.invokeExact(state, fd, stat), state);
      into[0] = stat.get(JAVA_LONG, 0);
      into[1] = stat.get(JAVA_LONG, STAT_INODE);
      into[2] = stat.get(JAVA_LONG, STAT_SIZE);
      into[3] = stat.get(JAVA_INT, STAT_MODE);
      return result;
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  public static int ftruncate(int fd, long size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result((int) FTRUNCATE.invokeExact(state, fd, size), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Creates a memory file that is close-on-exec and can be sealed. */
  public static int memfdCreate(String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment cName = arena.allocateFrom(name);
      return result(
          (int) MEMFD_CREATE.invokeExact(state, cName, MFD_CLOEXEC | MFD_ALLOW_SEALING), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Creates an eventfd with the counter 0 that is close-on-exec and non-blocking. */
  public static int eventfd() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result((int) EVENTFD.invokeExact(state, 0, EFD_CLOEXEC | EFD_NONBLOCK), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /**
   * Creates a pipe that is close-on-exec and whose two ends block.
   *
   * @param ends receives the numbers: the reading end, then the writing end
   */
  static int pipe(int[] ends) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment numbers = arena.allocate(JAVA_INT, 2);
      int result = result((int) PIPE2.invokeExact(state, numbers, O_CLOEXEC), state);
      ends[0] = numbers.getAtIndex(JAVA_INT, 0);
      ends[1] = numbers.getAtIndex(JAVA_INT, 1);
      return result;
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /**
   * Creates two connected AF_UNIX stream sockets that are close-on-exec and block.
   *
   * @param ends receives the numbers
   */
  static int socketPair(int[] ends) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment numbers = arena.allocate(JAVA_INT, 2);
      int result =
          result(
              (int) SOCKETPAIR.invokeExact(state, AF_UNIX, SOCK_STREAM_CLOEXEC, 0, numbers), state);
      ends[0] = numbers.getAtIndex(JAVA_INT, 0);
      ends[1] = numbers.getAtIndex(JAVA_INT, 1);
      return result;
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** 1 if the socket listens, else 0. */
  public static int listens(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment value = arena.allocate(JAVA_INT);
      MemorySegment size = arena.allocateFrom(JAVA_INT, Integer.BYTES);
      int result =
          result(
              (int) GETSOCKOPT.invokeExact(state, fd, SOL_SOCKET, SO_ACCEPTCONN, value, size),
              state);
      return result < 0 ? result : value.get(JAVA_INT, 0);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** The next peek at the socket begins this many bytes after what would be received next. */
  static int peekFrom(int fd, int bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment value = arena.allocateFrom(JAVA_INT, bytes);
      return result(
          (int) SETSOCKOPT.invokeExact(state, fd, SOL_SOCKET, SO_PEEK_OFF, value, Integer.BYTES),
          state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /**
   * Asks who is at the other end of a connected AF_UNIX socket.
   *
   * @param into gets process, user and group, in this order (struct ucred)
   */
  static int peerCredentials(int fd, int[] into) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment value = arena.allocate(JAVA_INT, 3);
      MemorySegment size = arena.allocateFrom(JAVA_INT, 3 * Integer.BYTES);
      int result =
          result(
              (int) GETSOCKOPT.invokeExact(state, fd, SOL_SOCKET, SO_PEERCRED, value, size), state);
      MemorySegment.copy(value, JAVA_INT, 0, into, 0, 3);
      return result;
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  public static long read(MemorySegment state, int fd, MemorySegment into) {
    try {
      return result((long) READ.invokeExact(state, fd, into, into.byteSize()), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  public static long pread(int fd, byte[] into, int from, long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment buffer = arena.allocate(into.length - from);
      long count =
          result((long) PREAD.invokeExact(state, fd, buffer, buffer.byteSize(), offset), state);
      MemorySegment.copy(buffer, JAVA_BYTE, 0, into, from, (int) Math.max(0, count));
      return count;
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /**
   * Writes a part of an array into a file, from its index {@code from} to its end. The kernel may
   * write less.
   */
  public static long pwrite(int fd, byte[] bytes, int from, long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      MemorySegment buffer = arena.allocate(bytes.length - from);
      MemorySegment.copy(bytes, from, buffer, JAVA_BYTE, 0, bytes.length - from);
      return result((long) PWRITE.invokeExact(state, fd, buffer, buffer.byteSize(), offset), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  public static long write(MemorySegment state, int fd, MemorySegment from) {
    try {
      long result = (long) PLAIN_WRITE.invokeExact(fd, from.address(), from.byteSize());
      return result >= 0
          ? result
          : result((long) WRITE.invokeExact(state, fd, from, from.byteSize()), state);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(from);
    }
  }

  static long sendmsg(MemorySegment state, int fd, MemorySegment message, int flags) {
    try {
      long result = (long) PLAIN_SENDMSG.invokeExact(fd, message.address(), flags);
      return result >= 0
          ? result
          : result((long) SENDMSG.invokeExact(state, fd, message, flags), state);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  /**
   * Like {@link #recvmsg}, but returns -1 for every error. A following {@link #recvmsg} has the
   * errno.
   */
  static long tryRecvmsg(int fd, MemorySegment message, int flags) {
    try {
      return (long) PLAIN_RECVMSG.invokeExact(fd, message.address(), flags);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  static long recvmsg(MemorySegment state, int fd, MemorySegment message, int flags) {
    try {
      long result = (long) PLAIN_RECVMSG.invokeExact(fd, message.address(), flags);
      return result >= 0
          ? result
          : result((long) RECVMSG.invokeExact(state, fd, message, flags), state);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  /** Creates an epoll instance that is close-on-exec. */
  static int epollCreate() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result((int) EPOLL_CREATE.invokeExact(state, O_CLOEXEC), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int epollControl(MemorySegment state, int epoll, int what, int fd, MemorySegment event) {
    try {
      int result = (int) PLAIN_EPOLL_CTL.invokeExact(epoll, what, fd, event.address());
      return result >= 0
          ? result
          : result((int) EPOLL_CTL.invokeExact(state, epoll, what, fd, event), state);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(event);
    }
  }

  static int epollWait(MemorySegment state, int epoll, MemorySegment events, int most, int millis) {
    try {
      int result = (int) PLAIN_EPOLL_WAIT.invokeExact(epoll, events.address(), most, millis);
      return result >= 0
          ? result
          : result((int) EPOLL_WAIT.invokeExact(state, epoll, events, most, millis), state);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(events);
    }
  }

  /**
   * ppoll without a signal mask. It does not change {@code timeout} (glibc passes a copy to the
   * kernel).
   */
  static int ppoll(MemorySegment state, MemorySegment fds, long count, MemorySegment timeout) {
    try {
      int result = (int) PLAIN_PPOLL.invokeExact(fds.address(), count, timeout.address(), 0L);
      return result >= 0
          ? result
          : result((int) PPOLL.invokeExact(state, fds, count, timeout, MemorySegment.NULL), state);
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      Reference.reachabilityFence(fds);
      Reference.reachabilityFence(timeout);
    }
  }

  /**
   * Creates a shared, readable and writable mapping. Returns its address, which is never negative
   * in user space.
   */
  public static long mmapShared(int fd, long offset, long size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result(
          (long) MMAP.invokeExact(state, 0L, size, PROT_READ_WRITE, MAP_SHARED, fd, offset), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  public static int munmap(long address, long size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CALL_STATE);
      return result((int) MUNMAP.invokeExact(state, address, size), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /**
   * Residency of {@code [address, +size)}: one byte per host page in {@code pages}, bit 0 =
   * resident.
   */
  public static int mincore(MemorySegment state, long address, long size, MemorySegment pages) {
    try {
      return result((int) MINCORE.invokeExact(state, address, size, pages), state);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Returns a result that is not negative, and throws for a negated errno. */
  public static long check(long result, String doing, String call) {
    if (result < 0) {
      throw new SystemCallException(doing, call, (int) -result);
    }
    return result;
  }

  /** As the long form, for calls that return an int. */
  public static int check(int result, String doing, String call) {
    check((long) result, doing, call);
    return result;
  }

  private static int pageSize() {
    try (Arena arena = Arena.ofConfined()) {
      return (int) GETPAGESIZE.invokeExact(arena.allocate(CALL_STATE));
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  private static MethodHandle call(String name, MemoryLayout result, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(result, arguments),
        Linker.Option.captureCallState("errno"));
  }

  private static MethodHandle plainCall(
      String name, MemoryLayout result, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments));
  }

  private static int result(int returned, MemorySegment state) {
    return returned == -1 ? -state.get(JAVA_INT, ERRNO) : returned;
  }

  private static long result(long returned, MemorySegment state) {
    return returned == -1 ? -state.get(JAVA_INT, ERRNO) : returned;
  }

  /**
   * For javac a method handle may throw any exception. These handles throw no checked exception.
   */
  private static Error unexpected(Throwable thrown) {
    return switch (thrown) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> new AssertionError(thrown);
    };
  }
}
