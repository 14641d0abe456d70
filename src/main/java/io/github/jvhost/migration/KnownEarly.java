package io.github.jvhost.migration;

import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import java.util.zip.CRC32C;

/**
 * An early record that both ends have, so that a final state can be told by its differences.
 *
 * @param state in it
 * @param generation of it
 * @param checksum CRC-32C of its body. A state that is built on another record is refused
 */
record KnownEarly(VirtioNetState state, int generation, int checksum) {
  /** The one of this record, which has this state. */
  static KnownEarly of(DeviceRecord content, VirtioNetState state) {
    var sum = new CRC32C();
    sum.update(content.body().asBuffer());
    return new KnownEarly(state, content.generation(), (int) sum.getValue());
  }
}
