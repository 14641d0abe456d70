package io.github.jvhost.vhost;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;

/**
 * Checks a position in a ring against guest memory. A back end says where a ring stopped, and a
 * saved state says where it goes on. Neither counts if the ring itself rules it out, because a back
 * end that starts at a wrong position serves old descriptors again and writes into memory that the
 * guest uses for something else.
 *
 * <pre>
 *   split    used <= next <= available, all modulo 65536; at most a ring of them (virtio 1.2, 2.7)
 *   packed   used and next are below the size, and at most a ring apart; neither descriptor there
 *            was written as used in the lap that its wrap counter says (virtio 1.2, 2.8.1)
 * </pre>
 *
 * <p>For a packed ring this rules out half of all wrong positions, because its flags look the same
 * after every second lap. For a ring outside of guest memory it rules out nothing.
 *
 * <p>Guarded by the lock of its {@link VhostNet}.
 */
final class RingEvidence {
  private static final int DESCRIPTOR = 16;

  private final VirtioNet model;
  private final DeviceMemory memory;
  private final NetConfiguration configuration;

  RingEvidence(VirtioNet model, DeviceMemory memory, NetConfiguration configuration) {
    this.model = model;
    this.memory = memory;
    this.configuration = configuration;
  }

  /**
   * Whether the device cannot be at this position.
   *
   * @param ring that is set up
   * @param base in the encoding of SET_VRING_BASE
   */
  boolean rulesOut(int ring, int base) {
    return model.packed() ? packedRulesOut(ring, base) : splitRulesOut(ring, base);
  }

  /**
   * Whether {@link #driverIsWrong} or {@link #rulesOut} is so.
   *
   * @param ring that is set up
   * @param base in the encoding of SET_VRING_BASE
   */
  boolean speaksAgainst(int ring, int base) {
    if (model.packed()) {
      return packedRulesOut(ring, base);
    }
    return driverIsWrong(ring) || splitRulesOut(ring, base);
  }

  private boolean splitRulesOut(int ring, int base) {
    Integer used = configuration.usedIndex(model, ring);
    Integer available = configuration.availableIndex(model, ring);
    return used != null
        && available != null
        && !RingIndex.splitMayBe(base, used, available, model.ringSize(ring));
  }

  /**
   * Whether the driver of a split ring has made more chains available than there are entries. Then
   * the position of the device is not known. QEMU, too, requires a reset of such a device.
   */
  boolean driverIsWrong(int ring) {
    if (model.packed()) {
      return false;
    }
    Integer used = configuration.usedIndex(model, ring);
    Integer available = configuration.availableIndex(model, ring);
    return used != null && available != null && (available - used & 0xffff) > model.ringSize(ring);
  }

  private boolean packedRulesOut(int ring, int base) {
    int size = model.ringSize(ring);
    int avail = base & 0x7fff;
    int used = base >>> 16 & 0x7fff;
    boolean availWrap = (base & 1 << 15) != 0;
    boolean usedWrap = base < 0;
    boolean apart = availWrap == usedWrap ? avail >= used : avail <= used;
    if (avail >= size || used >= size || !apart) {
      return true;
    }
    long descriptors = model.descriptorRing(ring);
    if (!memory.contains(descriptors, (long) DESCRIPTOR * size)) {
      return false;
    }
    boolean neverBegun = avail == 0 && used == 0 && availWrap && usedWrap;
    try {
      return PackedDescriptors.isBlank(memory, descriptors)
          ? !neverBegun
          : PackedDescriptors.isUsed(memory, descriptors, avail, availWrap)
              || PackedDescriptors.isUsed(memory, descriptors, used, usedWrap);
    } catch (GuestAddressException e) {
      return false; // the guest has unmapped it since
    }
  }

  /** Describes the ring for messages. */
  String describe(int ring) {
    return model.packed()
        ? "a packed ring of %d entries, by its flags in guest memory"
            .formatted(model.ringSize(ring))
        : "in guest memory the used index is %s and the available index %s, of %d entries"
            .formatted(
                configuration.usedIndex(model, ring),
                configuration.availableIndex(model, ring),
                model.ringSize(ring));
  }

  /** Describes a base for messages. */
  String place(int base) {
    return RingIndex.fromVhostBase(base, model.packed()).toString();
  }
}
