package io.github.jvhost.sys.io;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;

/**
 * Two AF_UNIX stream sockets that are connected with each other and have no name in the file
 * system. Each end can be sent to another process, or a socket library can take it over.
 *
 * @param one an end; the caller owns it
 * @param other the other end; the caller owns it
 */
public record SocketPair(OwnedDescriptor one, OwnedDescriptor other) implements AutoCloseable {
  /**
   * {@return a new pair, close-on-exec; the caller closes it}
   *
   * @param ledger records its descriptors, as "socket " and {@code what}
   * @param what its purpose: "back-end channel of net0"
   * @throws SystemCallException when no more descriptors are available
   */
  public static SocketPair open(DescriptorLedger ledger, String what) {
    int[] ends = new int[2];
    String name = "socket " + what;
    Linux.check(Linux.socketPair(ends), "create " + name, "socketpair");
    return new SocketPair(
        OwnedDescriptor.adopt(ledger, ends[0], name),
        OwnedDescriptor.adopt(ledger, ends[1], name + ", far end"));
  }

  /** Closes the ends that nobody has taken over. A second call does nothing. */
  @Override
  public void close() {
    one.close();
    other.close();
  }
}
