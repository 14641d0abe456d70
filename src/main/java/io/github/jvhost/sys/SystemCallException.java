package io.github.jvhost.sys;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/** A system call failed. The message names what was being done, the call and the errno. */
public class SystemCallException extends VhostException {
  private static final long serialVersionUID = 1L;

  /** The system call's name, as in the manual. */
  private final String call;

  /** The error number, positive. */
  private final int errno;

  /**
   * Makes the exception for a failed call.
   *
   * @param doing what was being done, in the caller's terms: "map 4096 bytes of guest memory"
   * @param call the system call's name
   * @param errno the error number, positive
   */
  public SystemCallException(String doing, String call, int errno) {
    super(doing + ": " + call + " failed with " + describe(errno), recoveryFrom(errno));
    this.call = call;
    this.errno = errno;
  }

  /** {@return the system call's name, as in the manual: {@code mmap}} */
  public String call() {
    return call;
  }

  /** {@return the error number, positive} */
  public int errno() {
    return errno;
  }

  /**
   * Only a shortage of resources is temporary. A second attempt does not help with any other error.
   */
  private static Recovery recoveryFrom(int errno) {
    return switch (errno) {
      case 4, 11, 12, 23, 24, 28 -> Recovery.RETRY;
      default -> Recovery.GIVE_UP;
    };
  }

  private static String describe(int errno) {
    return switch (errno) {
      case 1 -> "EPERM (not permitted, or sealed)";
      case 2 -> "ENOENT (no such file)";
      case 4 -> "EINTR (interrupted)";
      case 9 -> "EBADF (not an open descriptor)";
      case 11 -> "EAGAIN (would block, or too much locked memory)";
      case 12 -> "ENOMEM (out of memory, or out of mappings)";
      case 13 -> "EACCES (permission denied)";
      case 14 -> "EFAULT (bad address)";
      case 16 -> "EBUSY (in use)";
      case 17 -> "EEXIST (there is one already)";
      case 19 -> "ENODEV (this file cannot be mapped)";
      case 22 -> "EINVAL (invalid argument)";
      case 23 -> "ENFILE (the system has too many open files)";
      case 24 -> "EMFILE (this process has too many open files)";
      case 27 -> "EFBIG (file too large)";
      case 28 -> "ENOSPC (no space left)";
      case 29 -> "ESPIPE (no file with positions, such as a pipe or a socket)";
      case 32 -> "EPIPE (nobody reads)";
      case 38 -> "ENOSYS (this kernel does not have the call)";
      case 88 -> "ENOTSOCK (not a socket)";
      case 90 -> "EMSGSIZE (message too long)";
      case 95 -> "EOPNOTSUPP (this kind of file or socket cannot do it)";
      case 104 -> "ECONNRESET (the other side closed without having read everything)";
      case 105 -> "ENOBUFS (out of buffer space)";
      case 107 -> "ENOTCONN (not connected)";
      case 109 -> "ETOOMANYREFS (too many descriptors are under way in sockets)";
      case 111 -> "ECONNREFUSED (nobody listens)";
      default -> "errno " + errno;
    };
  }
}
