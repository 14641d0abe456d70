package io.github.jvhost.sys.io;

import io.github.jvhost.sys.OwnedDescriptor;

/**
 * What the kernel says of an open file. Device and inode together say which file it is, also across
 * processes and for a file without a name. (An eventfd has no inode of its own.)
 *
 * @param device that the file is on
 * @param inode its number on that device
 * @param size in bytes
 * @param regular whether it is a file of bytes, and not a directory, a pipe, a socket or a device
 */
public record FileStat(long device, long inode, long size, boolean regular) {
  /** S_IFMT and S_IFREG of inode(7). */
  private static final long FILE_KIND = 0170000;

  private static final long REGULAR = 0100000;

  /**
   * {@return what the kernel says of a file now}
   *
   * @param file its owner keeps it
   * @throws io.github.jvhost.sys.SystemCallException when the system refuses
   */
  public static FileStat of(OwnedDescriptor file) {
    long[] stat = new long[4];
    Linux.check(Linux.fstat(file.number(), stat), "look at " + file, "fstat");
    return new FileStat(stat[0], stat[1], stat[2], (stat[3] & FILE_KIND) == REGULAR);
  }

  /**
   * {@return whether both are the same file} Its size may have changed in between.
   *
   * @param other what the kernel said of another descriptor
   */
  public boolean isSameFile(FileStat other) {
    return device == other.device && inode == other.inode;
  }
}
