package io.github.jvhost.mediate;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.vhost.plan.InflightPositions;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.PackedFlags;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.RingIndex;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Where the rings of a device go on: where the switch has said when it stopped them, or, if it has
 * gone without saying so:
 *
 * <pre>
 *   split    the used index in guest memory: requests in flight are done again
 *   packed   what the switch has left in its in-flight region; without one it is not known
 * </pre>
 *
 * <p>One thread at a time.
 */
final class RingPositions {
  /** Offset of the index in the used ring of a split ring (virtio 1.2, 2.7.8). */
  private static final int USED_INDEX = 2;

  private final FrontEndDevice device;

  /** False if a switch has gone that had packed rings, and nothing says where they go on. */
  private boolean known = true;

  RingPositions(FrontEndDevice device) {
    this.device = device;
  }

  boolean areKnown() {
    return known;
  }

  /** The front end has said where its rings begin, or has no rings any more. */
  void areThoseOfTheFrontEnd() {
    known = true;
  }

  /**
   * Takes the bases that a switch has answered.
   *
   * @return whether it has answered all that it was asked for
   */
  boolean take(SwitchConnection.Told told) {
    boolean all = true;
    for (int i = 0; i < told.plan().steps().size(); i++) {
      if (told.plan().steps().get(i).step() instanceof Step.StopRing(int ring)) {
        Integer base = told.outcome().baseOf(i);
        if (base == null) {
          all = false;
        } else {
          device.base(ring, base);
        }
      }
    }
    return all;
  }

  /**
   * The switch has gone, or is given up, without an answer: rings go on where guest memory says.
   *
   * @return whether that is known of all rings
   */
  boolean recover() {
    known = true;
    for (int i = 0; i < device.rings().size(); i++) {
      FrontEndRing ring = device.rings().get(i);
      Integer base = recovered(i);
      if (base != null) {
        device.base(i, base);
      } else if (ring.size() != null && ring.address() != null) {
        known = false;
      }
    }
    return known;
  }

  private @Nullable Integer recovered(int index) {
    FrontEndRing ring = device.rings().get(index);
    RingAddresses at = device.addressesOf(ring);
    if (at == null) {
      return null;
    }
    return device.isPacked()
        ? packed(index, ring, at)
        : MemoryFiles.readShort(device.memory(), at.used() + USED_INDEX);
  }

  private @Nullable Integer packed(int index, FrontEndRing ring, RingAddresses at) {
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
  boolean nothingWasUsed() {
    for (FrontEndRing ring : device.rings()) {
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
