package io.github.jvhost.sys.io;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;

/**
 * Two stream sockets of the AF_UNIX family that are connected with each other, without a name in
 * the file system. Each end can travel to another process, or be taken over by a socket library.
 *
 * @param one an end; the caller's
 * @param other the other end; the caller's
 */
public record SocketPair(OwnedDescriptor one, OwnedDescriptor other) implements AutoCloseable {
  /**
   * {@return a new pair, close-on-exec; the caller closes it}
   *
   * @param ledger where its descriptors are written down, as "socket " and {@code what}
   * @param what what it is for: "back-end channel of net0"
   * @throws SystemCallException when no more descriptors are to be had
   */
  public static SocketPair open(DescriptorLedger ledger, String what) {
    int[] ends = new int[2];
    String name = "socket " + what;
    Linux.check(Linux.socketPair(ends), "create " + name, "socketpair");
    return new SocketPair(
        OwnedDescriptor.adopt(ledger, ends[0], name),
        OwnedDescriptor.adopt(ledger, ends[1], name + ", far end"));
  }

  /** Closes what nobody has taken over of both ends; a second time does nothing. */
  @Override
  public void close() {
    one.close();
    other.close();
  }
}
