package io.github.jvhost.testkit;

import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of one device as modelled hardware holds it. It holds only rings that have
 * addresses and are enabled.
 *
 * @param features the feature bits, without those that mean nothing to hardware (dirty log, bit 30)
 * @param rings the rings, by ascending number
 */
record HardwareImage(long features, List<Ring> rings) {
  /** Copies the list. */
  public HardwareImage {
    rings = List.copyOf(rings);
  }

  /**
   * One ring in hardware.
   *
   * @param ring its number; RX rings have even numbers
   * @param size entries
   * @param descriptor address of the descriptor table
   * @param available address of the avail ring
   * @param used address of the used ring
   * @param index the next avail index
   */
  public record Ring(int ring, int size, long descriptor, long available, long used, int index) {
    boolean samePlace(Ring other) {
      return size == other.size
          && descriptor == other.descriptor
          && available == other.available
          && used == other.used;
    }

    boolean isReceiver() {
      return ring % 2 == 0;
    }
  }

  @Nullable Ring ring(int number) {
    for (Ring ring : rings) {
      if (ring.ring() == number) {
        return ring;
      }
    }
    return null;
  }

  TreeSet<Integer> receivers() {
    TreeSet<Integer> receivers = new TreeSet<>();
    for (Ring ring : rings) {
      if (ring.isReceiver()) {
        receivers.add(ring.ring());
      }
    }
    return receivers;
  }
}
