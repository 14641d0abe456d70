package io.github.jvhost.migration;

import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;

/**
 * A record that the source has sent, early or final, and the device here that it is of.
 *
 * @param net the device
 * @param content of that name
 */
record ReceivedRecord(VhostNet net, DeviceRecord content) {
  /**
   * What the record says, for this device.
   *
   * @throws io.github.jvhost.VhostException it is damaged, or of another kind of device
   */
  VirtioNetState decoded() {
    return decodedFor(net);
  }

  /** The same for a device that stands for this one. */
  VirtioNetState decodedFor(VhostNet other) {
    return VirtioNetVmState.fromRecord(content, SectionShape.of(other.model()));
  }
}
