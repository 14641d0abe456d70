package io.github.jvhost.sys;

import io.github.jvhost.sys.io.Linux;
import java.util.Objects;

/**
 * A file descriptor with one owner: the holder of this object closes it. It is close-on-exec. Its
 * ledger records it until it is closed.
 *
 * <p>Two of them are equal when they are the same open file ({@link #identity()}), also after they
 * were closed. Their numbers are not compared.
 *
 * <p>Thread-safe; {@link #close} is idempotent. The number is valid until somebody closes this
 * object. If one thread uses the number and another may close the object, the caller must prevent
 * both at once, for instance with a {@link #duplicate} for one of them.
 */
public final class OwnedDescriptor implements AutoCloseable {
  private static final int CLOSED = -1;

  private final DescriptorLedger ledger;
  private final FileIdentity identity;
  private final long entry;
  private volatile int number;

  private OwnedDescriptor(DescriptorLedger ledger, int number, FileIdentity identity) {
    this.ledger = ledger;
    this.identity = identity;
    this.number = number;
    this.entry = ledger.opened(number, identity.what());
  }

  /**
   * Takes over a descriptor that nobody else closes, and makes it close-on-exec.
   *
   * @param ledger records it
   * @param number an open descriptor; the new object owns it from now on
   * @param what its purpose, for messages: "eventfd ring 3 kick"
   * @return the descriptor, under the same number; the caller closes it
   * @throws SystemCallException when {@code number} is not open
   */
  public static OwnedDescriptor adopt(DescriptorLedger ledger, int number, String what) {
    Objects.requireNonNull(ledger, "ledger");
    Objects.requireNonNull(what, "what");
    Linux.check(
        Linux.fcntl(number, Linux.F_SETFD, Linux.FD_CLOEXEC),
        "take over " + what + " (fd " + number + ")",
        "fcntl");
    return new OwnedDescriptor(ledger, number, ledger.newIdentity(what));
  }

  /**
   * Duplicates a descriptor of another owner, for instance of a socket library that received it and
   * will close it. The file is unknown, so it gets a new identity.
   *
   * @param ledger records the duplicate
   * @param foreign an open descriptor; its owner keeps it
   * @param what its purpose, for messages
   * @return the duplicate, close-on-exec; the caller closes it
   * @throws SystemCallException when {@code foreign} is not open, or no more descriptors are
   *     available
   */
  public static OwnedDescriptor duplicateOf(DescriptorLedger ledger, int foreign, String what) {
    Objects.requireNonNull(ledger, "ledger");
    Objects.requireNonNull(what, "what");
    return new OwnedDescriptor(ledger, duplicateNumber(foreign, what), ledger.newIdentity(what));
  }

  /**
   * {@return another descriptor for the same file, close-on-exec, with the same identity and in the
   * same ledger} The caller owns it.
   *
   * @throws IllegalStateException when this one is closed
   * @throws SystemCallException when no more descriptors are available
   */
  public synchronized OwnedDescriptor duplicate() {
    return new OwnedDescriptor(ledger, duplicateNumber(number(), identity.what()), identity);
  }

  /**
   * {@return the descriptor's number, still owned by this object}
   *
   * @throws IllegalStateException when it is closed
   */
  public int number() {
    int n = number;
    if (n == CLOSED) {
      throw new IllegalStateException(identity.what() + " is closed");
    }
    return n;
  }

  /**
   * {@return whether this is a listening socket; false for any other socket}
   *
   * @throws SystemCallException when it is not a socket
   */
  public boolean listens() {
    return Linux.check(
            Linux.listens(number()),
            "look at %s (fd %d)".formatted(identity.what(), number()),
            "getsockopt")
        == 1;
  }

  /** {@return the identity of the open file, also after the close} */
  public FileIdentity identity() {
    return identity;
  }

  /** {@return the ledger that records this descriptor} */
  public DescriptorLedger ledger() {
    return ledger;
  }

  /** {@return whether nobody has closed this object yet} */
  public boolean isOpen() {
    return number != CLOSED;
  }

  /**
   * Gives the number to the caller, who must close it. This object is then closed. For libraries
   * that must own the descriptor they use.
   *
   * @return the number, still open
   * @throws IllegalStateException when it is closed
   */
  public synchronized int release() {
    int n = number();
    number = CLOSED;
    ledger.closed(entry);
    return n;
  }

  /**
   * Closes the descriptor. A second call does nothing.
   *
   * @throws SystemCallException when other code has already closed the number
   */
  @Override
  public synchronized void close() {
    int n = number;
    if (n == CLOSED) {
      return;
    }
    number = CLOSED;
    ledger.closed(entry);
    // Linux releases the number whatever other error close returns (close(2), "Dealing with error
    // returns").
    int result = Linux.close(n);
    if (result == -Linux.EBADF) {
      throw new SystemCallException(
          "close " + identity.what() + " (fd " + n + ")", "close", Linux.EBADF);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof OwnedDescriptor d && identity.equals(d.identity);
  }

  @Override
  public int hashCode() {
    return identity.hashCode();
  }

  @Override
  public String toString() {
    int n = number;
    return identity + (n == CLOSED ? " (closed)" : " (fd " + n + ")");
  }

  private static int duplicateNumber(int number, String what) {
    return Linux.check(
        Linux.fcntl(number, Linux.F_DUPFD_CLOEXEC, 0),
        "duplicate " + what + " (fd " + number + ")",
        "fcntl");
  }
}
