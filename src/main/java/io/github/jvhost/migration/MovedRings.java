package io.github.jvhost.migration;

import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where the rings of a device go on that has changed in nothing else since its early record. That
 * is what a guest leaves that only sends and receives. With that record this is its final state,
 * and takes the place of a final record of some 44 KB, most of which are places of rings that the
 * device does not have.
 *
 * <pre>
 *   count u16 | count x { next u16 | packed: avail u16 | wrap u8 | used u16 | wrap u8 | in use u32 }
 * </pre>
 *
 * @param rings one entry for each ring that the device has, in order
 */
record MovedRings(List<Indexes> rings) {
  /**
   * Where a ring goes on.
   *
   * @param next as in {@link SavedQueue}
   * @param packed as in {@link SavedQueue}
   */
  record Indexes(int next, SavedQueue.Packed packed) {}

  /** Copies the list. */
  MovedRings {
    rings = List.copyOf(rings);
  }

  /**
   * What makes the final state of the early one.
   *
   * @param early as the destination has it
   * @param last of the same device
   * @return null if anything else differs
   */
  static @Nullable MovedRings between(VirtioNetState early, VirtioNetState last) {
    List<Indexes> rings = new ArrayList<>(last.queueCount());
    for (int i = 0; i < last.queueCount(); i++) {
      rings.add(new Indexes(last.queue(i).next(), last.queue(i).packed()));
    }
    try {
      return early.queueCount() == rings.size() && moved(early, rings).equals(last)
          ? new MovedRings(rings)
          : null;
    } catch (IllegalArgumentException e) {
      return null; // the driver has set up a ring meanwhile
    }
  }

  /**
   * The final state.
   *
   * @param early the state of the early record
   * @throws MigrationException if these are no indexes of that device
   */
  VirtioNetState from(VirtioNetState early) {
    if (early.queueCount() == rings.size()) {
      try {
        return moved(early, rings);
      } catch (IllegalArgumentException e) {
        throw MigrationException.malformed("rings that cannot be: %s".formatted(e.getMessage()));
      }
    }
    throw MigrationException.malformed(
        "%d rings of a device that has %d".formatted(rings.size(), early.queueCount()));
  }

  private static VirtioNetState moved(VirtioNetState early, List<Indexes> rings) {
    List<SavedQueue> queues = new ArrayList<>(early.queues());
    for (int i = 0; i < rings.size(); i++) {
      queues.set(i, queues.get(i).withIndexes(rings.get(i).next(), rings.get(i).packed()));
    }
    return new VirtioNetState(
        early.offer(), early.transport(), early.common(), early.net(), queues);
  }

  void write(MessageBody out) {
    out.u16(rings.size());
    for (Indexes ring : rings) {
      SavedQueue.Packed packed = ring.packed();
      out.u16(ring.next())
          .u16(packed.avail())
          .u8(packed.availWrap() ? 1 : 0)
          .u16(packed.used())
          .u8(packed.usedWrap() ? 1 : 0)
          .u32(packed.inUse());
    }
  }

  static MovedRings read(MessageBody in) {
    int count = in.u16();
    if (count > VirtioNetState.MAX_QUEUES) {
      throw MigrationException.malformed("%d rings".formatted(count));
    }
    List<Indexes> rings = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int next = in.u16();
      rings.add(
          new Indexes(
              next,
              new SavedQueue.Packed(in.u16(), in.u8() != 0, in.u16(), in.u8() != 0, in.u32())));
    }
    return new MovedRings(rings);
  }
}
