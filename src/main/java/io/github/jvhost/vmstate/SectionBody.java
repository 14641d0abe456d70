package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;

/** The content of a section of a migration stream. Immutable. */
public sealed interface SectionBody {
  /** Guest memory. The reader has given it to its {@link RamSink}, record by record. */
  record Ram() implements SectionBody {}

  /**
   * A virtio-net device, in its final or in its early section.
   *
   * @param state the saved state
   */
  record VirtioNet(VirtioNetState state) implements SectionBody {}

  /**
   * Another section, which is passed on as bytes.
   *
   * @param bytes the whole body
   */
  record Opaque(Bytes bytes) implements SectionBody {}
}
