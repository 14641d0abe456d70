package io.github.jvhost.vmstate;

/**
 * Knows where a section of somebody else's device ends. A stream says so only in its description,
 * at its end, and not of sections that come in parts; where neither helps, a handler does.
 */
@FunctionalInterface
public interface SectionHandler {
  /**
   * Takes the whole body of a section or of one of its parts from the input. What was taken becomes
   * the section's {@link SectionBody.Opaque}.
   *
   * @param header what is to be read
   * @param in stands at the start of the body, and must stand behind it on return
   * @throws VmStateException when the body is not as it should be, see {@link SectionInput#expect}
   */
  void pass(SectionHeader header, SectionInput in);
}
