package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;

/**
 * A ring of a saved device.
 *
 * @param index from 0
 * @param queue at that index
 */
record Ring(VirtioNetState device, int index, SavedQueue queue) {
  static Ring of(VirtioNetState device, int index) {
    return new Ring(device, index, device.queue(index));
  }

  /** Its use, for people. */
  String use() {
    int count = device.queueCount();
    if (index >= count) {
      return "none";
    }
    if (index == count - 1 && index % 2 == 0) {
      return "control";
    }
    return (index % 2 == 0 ? "receive " : "transmit ") + index / 2;
  }
}
