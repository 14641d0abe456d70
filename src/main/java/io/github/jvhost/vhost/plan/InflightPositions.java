package io.github.jvhost.vhost.plan;

import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.virtio.RingIndex;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Finds where a back end that has gone was in packed rings. It reads the region in which the back
 * end recorded its requests in flight (vhost-user, "Inflight I/O tracking", packed virtqueues). A
 * packed ring in guest memory does not show that.
 *
 * <pre>
 *   part of ring r, at offset + r * (size of the region / queues)
 *   0         8        10      12    14    16    18    20   21        32
 *   | features| version| num   | free| old | used| old | used wrap    | entry 0, 32 bytes each:
 *   |         | = 1    |       | head| free| idx | used| now | old    | inflight u8 @0, num u16 @6
 *
 *   used index: where the next used descriptor goes;  available: that, and all that is in flight
 * </pre>
 *
 * <p>The region is the back end's file, which may be shorter than it said. So it is read and never
 * mapped.
 */
public final class InflightPositions {
  private static final int VERSION = 8;
  private static final int USED = 16;
  private static final int OLD_USED = 18;
  private static final int USED_WRAP = 20;
  private static final int OLD_USED_WRAP = 21;
  private static final int HEADER = 32;
  private static final int ENTRY = 32;
  private static final int ENTRY_NUM = 6;

  private InflightPositions() {}

  /**
   * Returns where to go on.
   *
   * @param region as the back end left it
   * @param ring its index
   * @param size entries of the ring, which is packed
   * @param flags reads the flags of a descriptor of the ring by its index, from 0; null if that is
   *     not possible
   * @return empty if the region does not show it: it was never used, is cut off or inconsistent, or
   *     the back end died while it recorded a batch as done
   */
  public static Optional<RingIndex> of(
      InflightRegion region, int ring, int size, IntFunction<@Nullable Integer> flags) {
    long part = region.layout().mmapSize() / Math.max(1, region.layout().queues());
    long bytes = HEADER + (long) ENTRY * size;
    if (ring >= region.layout().queues() || part < bytes) {
      return Optional.empty();
    }
    byte[] raw = new byte[(int) bytes];
    long at = region.layout().mmapOffset() + part * ring;
    if (MemoryFile.read(region.file(), at, raw) < raw.length) {
      return Optional.empty();
    }
    return position(ByteBuffer.wrap(raw).order(ByteOrder.nativeOrder()), size, flags);
  }

  private static Optional<RingIndex> position(
      ByteBuffer region, int size, IntFunction<@Nullable Integer> flags) {
    int used = region.getShort(USED) & 0xffff;
    int old = region.getShort(OLD_USED) & 0xffff;
    boolean usedWrap = region.get(USED_WRAP) != 0;
    boolean oldWrap = region.get(OLD_USED_WRAP) != 0;
    if (region.getShort(VERSION) != 1 || used >= size || old >= size) {
      return Optional.empty();
    }
    if (used != old || usedWrap != oldWrap) {
      Integer written = flags.apply(old);
      if (written == null || PackedFlags.isUsed(written, oldWrap)) {
        return Optional.empty(); // the record of the batch is not complete
      }
      used = old; // the guest never saw the batch
      usedWrap = oldWrap;
    }
    int inFlight = 0;
    for (int i = 0; i < size; i++) {
      int entry = HEADER + ENTRY * i;
      if (region.get(entry) != 0) {
        inFlight += region.getShort(entry + ENTRY_NUM) & 0xffff;
      }
    }
    if (inFlight > size) {
      return Optional.empty();
    }
    int available = used + inFlight;
    boolean wrapped = available >= size;
    return Optional.of(
        RingIndex.packed(
            wrapped ? available - size : available, usedWrap ^ wrapped, used, usedWrap));
  }
}
