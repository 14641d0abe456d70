package io.github.jvhost.vmstate;

/**
 * A section that is neither guest memory nor virtio-net, of which nothing says where it ends. For a
 * caller of {@link QemuStreamReader}, a {@link SectionHandler} for it is a way on.
 */
public final class UnknownSectionException extends VmStateException {
  private static final long serialVersionUID = 1L;

  /** Why its end is not known. */
  public enum Reason {
    /** It comes in parts, and the description at the end of a stream has no lengths of those. */
    IN_PARTS,
    /** The stream has no description at its end, or one that nobody can read. */
    NO_DESCRIPTION,
    /** The description is of another stream: this section is not in it. */
    NOT_DESCRIBED,
    /** The description is further on than what a reader holds at once. */
    TOO_FAR
  }

  /** Why its end is not known. */
  private final Reason reason;

  /** The same as an error without a reason, with one. */
  UnknownSectionException(VmStateException failure, Reason reason) {
    super(failure.section(), failure.path(), failure.offset(), failure.expected());
    this.reason = reason;
  }

  /** {@return why its end is not known} */
  public Reason reason() {
    return reason;
  }
}
