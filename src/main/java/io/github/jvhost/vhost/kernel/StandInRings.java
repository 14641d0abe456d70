package io.github.jvhost.vhost.kernel;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Empty rings of this process, with which a vDPA device is started while guest memory is not there
 * yet. Whatever the device looks at is empty.
 *
 * <p>They lie behind all guest memory, and the device finds them there until it is closed.
 */
final class StandInRings implements AutoCloseable {
  /** Guests have less than 128 TiB. */
  private static final long END = 1L << 47;

  private final DeviceFile file;
  private final String path;
  private final VdpaMemory memory;
  private final long end;
  private final DescriptorLedger ledger;
  private @Nullable OwnMemory own;

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
    this.end = Long.compareUnsigned(last, END) < 0 ? (last + 1) & -MemoryRegion.PAGE : END;
    this.ledger = ledger;
  }

  /**
   * Gives the device a stand-in for each ring.
   *
   * @param sizes entries, by ring
   */
  void put(Map<Integer, Integer> sizes) {
    long needed = sizes.values().stream().mapToLong(StandInRings::bytes).sum();
    OwnMemory now = own;
    if (now == null || now.region().size() < needed) {
      if (now != null) {
        memory.remove(now.region());
        own = null;
        now.close();
      }
      now = OwnMemory.at(end - needed, needed, "stand-in rings", ledger);
      try {
        memory.add(now.region(), now.mapping());
      } catch (RuntimeException | Error e) {
        now.close();
        throw e;
      }
      own = now;
    }
    long at = now.region().guestAddress();
    for (Map.Entry<Integer, Integer> one : sizes.entrySet()) {
      int ring = one.getKey();
      long entries = one.getValue();
      String doing = "put a stand-in for ring " + ring + " of " + path;
      long available = at + 16 * entries;
      long used = available + ((6 + 2 * entries + 3) & -4);
      file.address(ring, 0, at, used, available, 0, doing);
      file.ring(Ioctl.SET_VRING_BASE, ring, 0, doing);
      at += bytes(one.getValue());
    }
  }

  /** Descriptors, available and used ring, in whole pages. */
  private static long bytes(int entries) {
    long exact = 26L * entries + 16;
    return (exact + MemoryRegion.PAGE - 1) & -MemoryRegion.PAGE;
  }

  @Override
  public void close() {
    if (own != null) {
      own.close();
    }
  }
}
