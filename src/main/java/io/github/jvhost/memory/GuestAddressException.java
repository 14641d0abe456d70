package io.github.jvhost.memory;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * A guest or a peer named guest memory that does not exist or is not correctly aligned. Nothing was
 * read or written.
 */
public class GuestAddressException extends VhostException {
  private static final long serialVersionUID = 1L;

  /** The guest-physical address where the access began. */
  private final long guestAddress;

  /** How many bytes the access was for. */
  private final long length;

  /**
   * Makes the exception for an invalid access.
   *
   * @param guestAddress where it began
   * @param length how many bytes it was for
   * @param problem what is wrong with it: "is not within one memory region"
   */
  GuestAddressException(long guestAddress, long length, String problem) {
    super(
        "guest address 0x" + Long.toHexString(guestAddress) + ", " + length + " bytes, " + problem,
        Recovery.GIVE_UP);
    this.guestAddress = guestAddress;
    this.length = length;
  }

  static GuestAddressException outside(long guestAddress, long length) {
    return new GuestAddressException(guestAddress, length, "is not within one memory region");
  }

  /** {@return the guest-physical address where the access began} */
  public long guestAddress() {
    return guestAddress;
  }

  /** {@return how many bytes the access was for} */
  public long length() {
    return length;
  }
}
