package io.github.jvhost.mediate;

import io.github.jvhost.vhost.plan.RingAddresses;
import org.jspecify.annotations.Nullable;

/** Where a ring goes on whose switch has gone without saying so. */
final class RingPositions {
  /** Offset of the index in the used ring of a split ring (virtio 1.2, 2.7.8). */
  private static final int USED_INDEX = 2;

  private RingPositions() {}

  /**
   * {@return the base of a split ring: the used index, so that requests in flight are done again;
   * null if it is not known}
   */
  static @Nullable Integer recovered(FrontEndDevice device, int index) {
    FrontEndDevice.Ring ring = device.rings().get(index);
    RingAddresses at = device.addressesOf(ring);
    return at == null || device.isPacked()
        ? null
        : MemoryFiles.readShort(device.memory(), at.used() + USED_INDEX);
  }
}
