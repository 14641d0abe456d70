package io.github.jvhost.sys;

import io.github.jvhost.sys.io.Linux;
import java.util.Objects;

/**
 * A file descriptor with one owner: whoever holds this object closes it. It is close-on-exec, and
 * is written down in its ledger until it is closed.
 *
 * <p>Two of them are equal when they stand for the same open file ({@link #identity()}), also after
 * they were closed; the number plays no part.
 *
 * <p>Thread-safe; {@link #close} is idempotent. A number that was asked for is good until somebody
 * closes this object: who uses it from one thread while another may close it has to keep the two
 * apart, for instance with a {@link #duplicate} of its own.
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
   * Takes a descriptor over that nobody else will close, and makes it close-on-exec.
   *
   * @param ledger where it is written down
   * @param number an open descriptor; from here on it is this object's
   * @param what what it is for, for messages: "eventfd ring 3 kick"
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
   * Duplicates a descriptor that stays somebody else's, as one does with those that a socket
   * library received and will close by itself. Nothing is known of the file, so it gets an identity
   * of its own.
   *
   * @param ledger where the duplicate is written down
   * @param foreign an open descriptor; it stays its owner's
   * @param what what it is for, for messages
   * @return the duplicate, close-on-exec; the caller closes it
   * @throws SystemCallException when {@code foreign} is not open, or no more descriptors are to be
   *     had
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
   * @throws SystemCallException when no more descriptors are to be had
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
   * {@return whether this is a socket at which connections are accepted; false for any other
   * socket}
   *
   * @throws SystemCallException when it is no socket
   */
  public boolean listens() {
    return Linux.check(
            Linux.listens(number()),
            "look at %s (fd %d)".formatted(identity.what(), number()),
            "getsockopt")
        == 1;
  }

  /** {@return which file this is, known also after the close} */
  public FileIdentity identity() {
    return identity;
  }

  /** {@return the ledger in which this descriptor is written down} */
  public DescriptorLedger ledger() {
    return ledger;
  }

  /** {@return whether nobody has closed this object yet} */
  public boolean isOpen() {
    return number != CLOSED;
  }

  /**
   * Gives the number away: from here on whoever asked closes it, and this object counts as closed.
   * For libraries that insist on owning what they work with.
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
   * Closes the descriptor; a second time does nothing.
   *
   * @throws SystemCallException when somebody else had closed the number behind this object's back
   */
  @Override
  public synchronized void close() {
    int n = number;
    if (n == CLOSED) {
      return;
    }
    number = CLOSED;
    ledger.closed(entry);
    // Linux has released the number whatever else close answers (close(2), "Dealing with error
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
