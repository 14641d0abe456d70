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
   * Decodes the record for this device.
   *
   * @throws io.github.jvhost.VhostException if it is damaged, or of another kind of device
   */
  VirtioNetState decoded() {
    return VirtioNetVmState.fromRecord(content, SectionShape.of(net.model()));
  }
}
