package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;

/** What stands in a section of a migration stream. Immutable. */
public sealed interface SectionBody {
  /** Guest memory: it went to the reader's {@link RamSink}, record by record. */
  record Ram() implements SectionBody {}

  /**
   * A virtio-net device, in its final or in its early section.
   *
   * @param state what was saved
   */
  record VirtioNet(VirtioNetState state) implements SectionBody {}

  /**
   * Something else, which is carried as it is.
   *
   * @param bytes all of it
   */
  record Opaque(Bytes bytes) implements SectionBody {}
}
