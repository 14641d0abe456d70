package io.github.jvhost.vhost.kernel;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import java.util.HashMap;
import java.util.Map;

/**
 * Empty rings of this process, with which a vDPA device is started while guest memory is not there
 * yet. Whatever the device looks at is empty.
 *
 * <p>They lie behind all guest memory, the first at the end, and the device finds them there until
 * it is closed.
 */
final class StandInRings implements AutoCloseable {
  /** Guests have less than 128 TiB. */
  private static final long END = 1L << 47;

  /** More than the largest ring has. */
  private static final long PLACE = 1L << 20;

  private final DeviceFile file;
  private final String path;
  private final VdpaMemory memory;
  private final long end;
  private final DescriptorLedger ledger;
  private final Map<Integer, OwnMemory> own = new HashMap<>();

  /**
   * Nothing is made yet.
   *
   * @param memory in which they are told
   * @param last the last address that the device can be told
   */
  StandInRings(
      DeviceFile file, String path, VdpaMemory memory, long last, DescriptorLedger ledger) {
    this.file = file;
    this.path = path;
    this.memory = memory;
    this.end = Long.compareUnsigned(last, END) < 0 ? (last + 1) & -PLACE : END;
    this.ledger = ledger;
  }

  /**
   * Puts one in the place of a ring.
   *
   * @param ring its index
   * @param entries of the ring
   */
  void put(int ring, int entries) {
    long descriptors = memoryOf(ring, entries).region().guestAddress();
    long available = descriptors + 16L * entries;
    long used = available + ((6 + 2L * entries + 3) & -4);
    String doing = "put a stand-in for ring " + ring + " of " + path;
    file.address(ring, 0, descriptors, used, available, 0, doing);
    file.ring(Ioctl.SET_VRING_BASE, ring, 0, doing);
  }

  /** The device writes nothing there, so a larger one than needed is as good as new. */
  private OwnMemory memoryOf(int ring, int entries) {
    OwnMemory before = own.get(ring);
    if (before != null && before.region().size() >= bytes(entries)) {
      return before;
    }
    if (before != null) {
      memory.remove(before.region());
      own.remove(ring);
      before.close();
    }
    OwnMemory made =
        OwnMemory.at(end - (ring + 1) * PLACE, bytes(entries), "stand-in ring " + ring, ledger);
    try {
      memory.add(made.region(), made.mapping());
    } catch (RuntimeException | Error e) {
      made.close();
      throw e;
    }
    own.put(ring, made);
    return made;
  }

  /** Descriptors, available and used ring, in whole pages. */
  private static long bytes(int entries) {
    long exact = 26L * entries + 16;
    return (exact + MemoryRegion.PAGE - 1) & -MemoryRegion.PAGE;
  }

  @Override
  public void close() {
    own.values().forEach(OwnMemory::close);
  }
}
