package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.Translation;

/**
 * Where the three parts of a vring are in guest-physical memory. What is sent are the user
 * addresses that the memory table gives for them (vhost-user, "Memory regions description"). Behind
 * an IOMMU they are I/O virtual addresses, and sent as they are.
 *
 * @param descriptor guest address of the descriptor table (packed: the descriptor ring)
 * @param used guest address of the used ring (packed: the device event suppression area)
 * @param available guest address of the available ring (packed: the driver event suppression area)
 */
public record RingAddresses(long descriptor, long used, long available) {
  /** Whether a translation has an address of a ring, split or packed, with that many entries. */
  boolean touches(Translation one, int entries) {
    return one.touches(descriptor, descriptor + 16L * entries - 1)
        || one.touches(used, used + 6 + 8L * entries - 1)
        || one.touches(available, available + 6 + 2L * entries - 1);
  }

  @Override
  public String toString() {
    return "desc 0x%x used 0x%x avail 0x%x".formatted(descriptor, used, available);
  }
}
