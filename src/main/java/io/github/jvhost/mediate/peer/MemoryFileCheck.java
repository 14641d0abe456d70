package io.github.jvhost.mediate.peer;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.sys.io.Linux;

/**
 * Whether a descriptor may go to the switch as guest memory. The switch maps it for writing, and an
 * access beyond the end of the file would kill the switch with SIGBUS. Without state.
 */
public final class MemoryFileCheck {
  private MemoryFileCheck() {}

  /**
   * Refuses a descriptor that is not open for reading and writing, that is no regular file (a
   * memfd, and a file of tmpfs or hugetlbfs, are regular files), or that has fewer bytes than the
   * region needs. The file may still be made shorter afterwards, unless it is sealed.
   *
   * @param file its owner keeps it
   * @param offset where the region begins in the file, in bytes
   * @param size of the region, in bytes
   * @throws VhostException (GIVE_UP) if it is refused; the message says what is wrong with it
   */
  public static void require(OwnedDescriptor file, long offset, long size) {
    FileStat stat = requireOpen(file);
    if (offset < 0 || size <= 0 || size > stat.size() - offset) {
      throw refused(
          file,
          "it has %d bytes, and the region has %s bytes from %s on"
              .formatted(stat.size(), Long.toUnsignedString(size), Long.toUnsignedString(offset)));
    }
  }

  /** {@return what the kernel says of a file that is regular and open for reading and writing} */
  static FileStat requireOpen(OwnedDescriptor file) {
    int flags =
        Linux.check(Linux.fcntl(file.number(), Linux.F_GETFL, 0), "look at " + file, "fcntl");
    if ((flags & Linux.O_PATH) != 0 || (flags & Linux.O_ACCMODE) != Linux.O_RDWR) {
      throw refused(file, "it is not open for reading and writing");
    }
    FileStat stat = FileStat.of(file);
    if (!stat.regular()) {
      throw refused(file, "it is no regular file");
    }
    return stat;
  }

  private static VhostException refused(OwnedDescriptor file, String problem) {
    return new VhostException(
        "guest memory from " + file + " is refused: " + problem, Recovery.GIVE_UP);
  }
}
