package io.github.jvhost.vmstate;

/**
 * The end of a section that is neither guest memory nor virtio-net is not known. A caller of {@link
 * QemuStreamReader} can set a {@link SectionHandler} for the section.
 */
public final class UnknownSectionException extends VmStateException {
  private static final long serialVersionUID = 1L;

  /** Why its end is not known. */
  public enum Reason {
    /**
     * The section comes in parts, and the description at the end of a stream has no lengths of
     * parts.
     */
    IN_PARTS,
    /** The stream has no description at its end, or an invalid one. */
    NO_DESCRIPTION,
    /** The description does not have this section. */
    NOT_DESCRIBED,
    /** The description begins after more bytes than a reader holds in memory. */
    TOO_FAR
  }

  /** Why its end is not known. */
  private final Reason reason;

  /** Adds a reason to a failure. */
  UnknownSectionException(VmStateException failure, Reason reason) {
    super(failure.section(), failure.path(), failure.offset(), failure.expected());
    this.reason = reason;
  }

  /** {@return why its end is not known} */
  public Reason reason() {
    return reason;
  }
}
