package io.github.jvhost.vmstate;

/**
 * Finds the end of a section of another device. A stream has the lengths only in the description at
 * its end, and not for sections in parts. If the description does not help, a handler is needed.
 */
@FunctionalInterface
public interface SectionHandler {
  /**
   * Reads the whole body of a section, or of one of its parts. The bytes that it reads become the
   * section's {@link SectionBody.Opaque}.
   *
   * @param header the header of the section or part
   * @param in is at the start of the body; must be at its end on return
   * @throws VmStateException when the body is invalid, see {@link SectionInput#expect}
   */
  void pass(SectionHeader header, SectionInput in);
}
