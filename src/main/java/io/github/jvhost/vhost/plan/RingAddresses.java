package io.github.jvhost.vhost.plan;

/**
 * Where the three parts of a vring are in guest-physical memory. What is sent are the user
 * addresses that the memory table gives for them (vhost-user, "Memory regions description").
 *
 * @param descriptor guest address of the descriptor table (packed: the descriptor ring)
 * @param used guest address of the used ring (packed: the device event suppression area)
 * @param available guest address of the available ring (packed: the driver event suppression area)
 */
public record RingAddresses(long descriptor, long used, long available) {
  @Override
  public String toString() {
    return "desc 0x%x used 0x%x avail 0x%x".formatted(descriptor, used, available);
  }
}
