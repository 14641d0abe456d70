package io.github.jvhost.mediate;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.vhost.plan.InflightPositions;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.PackedFlags;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.virtio.RingIndex;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Where a ring goes on whose switch has gone without saying so.
 *
 * <pre>
 *   split    the used index in guest memory: requests in flight are done again
 *   packed   what the switch has left in its in-flight region; without one it is not known
 * </pre>
 */
final class RingPositions {
  /** Offset of the index in the used ring of a split ring (virtio 1.2, 2.7.8). */
  private static final int USED_INDEX = 2;

  private RingPositions() {}

  /** {@return the base of a ring; null if it is not known} */
  static @Nullable Integer recovered(FrontEndDevice device, int index) {
    FrontEndDevice.Ring ring = device.rings().get(index);
    RingAddresses at = device.addressesOf(ring);
    if (at == null) {
      return null;
    }
    return device.isPacked()
        ? packed(device, index, ring, at)
        : MemoryFiles.readShort(device.memory(), at.used() + USED_INDEX);
  }

  private static @Nullable Integer packed(
      FrontEndDevice device, int index, FrontEndDevice.Ring ring, RingAddresses at) {
    if (isBlank(device.memory(), at.descriptor())) {
      return RingIndex.start(true).toVhostBase(); // its driver has never made anything available
    }
    InflightRegion region = device.inflight();
    Integer size = ring.size();
    return region == null || size == null
        ? null
        : InflightPositions.of(region, index, size, flags(device.memory(), at.descriptor()))
            .map(RingIndex::toVhostBase)
            .orElse(null);
  }

  /** {@return whether no switch has used anything of packed rings since their bases were known} */
  static boolean nothingWasUsed(FrontEndDevice device) {
    for (FrontEndDevice.Ring ring : device.rings()) {
      RingAddresses at = device.addressesOf(ring);
      Integer base = ring.base();
      if (at == null || base == null) {
        continue;
      }
      RingIndex index = RingIndex.fromVhostBase(base, true);
      Integer flags = flags(device.memory(), at.descriptor()).apply(index.used());
      if (flags == null || PackedFlags.isUsed(flags, index.usedWrap())) {
        return false;
      }
    }
    return true;
  }

  private static IntFunction<@Nullable Integer> flags(GuestMap memory, long descriptors) {
    return index -> MemoryFiles.readShort(memory, PackedFlags.at(descriptors, index));
  }

  private static boolean isBlank(GuestMap memory, long descriptors) {
    MemoryRegion region = memory.regionOf(descriptors, PackedFlags.DESCRIPTOR);
    if (region == null) {
      return false;
    }
    byte[] first = new byte[PackedFlags.DESCRIPTOR];
    long at = region.fileOffset() + (descriptors - region.guestAddress());
    if (MemoryFile.read(region.file(), at, first) < first.length) {
      return false;
    }
    for (byte b : first) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }
}
