package io.github.jvhost.testkit;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How in-flight regions lie in memory (specification, "Inflight I/O tracking"): one per ring, back
 * to back, each rounded up to 64 bytes.
 *
 * <pre>
 *   split:    0          8         10         12                16          entries of 16 bytes
 *            | features | version | entries  | last batch head, used index | ...
 *
 *   packed:   0          8         10         12          14              16           18               32: entries of 32
 *            | features | version | entries  | free head | old free head | used index | old used index |
 *                                                                          20: used wrap, 21: old used wrap
 * </pre>
 *
 * <p>Version 0 means that no back end has used the region yet.
 *
 * @param packed whether the rings are packed
 * @param queues how many rings, from ring 0 on
 * @param queueSize entries of each
 */
record InflightLayout(boolean packed, int queues, int queueSize) {
  static final int MAX_QUEUE_SIZE = 32768;
  private static final int VERSION = 1;
  private static final long VERSION_AT = 8;
  private static final long ENTRIES_AT = 10;
  private static final long SPLIT_USED_AT = 14;
  private static final long USED_AT = 16;
  private static final long OLD_USED_AT = 18;
  private static final long WRAP_AT = 20;
  private static final long OLD_WRAP_AT = 21;
  private static final int ALIGNMENT = 64;

  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  /** {@return how many bytes one ring's region takes, a multiple of 64} */
  public long bytesPerQueue() {
    long bytes = (long) headerBytes() + (long) entryBytes() * queueSize;
    return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
  }

  private int headerBytes() {
    return packed ? 32 : 16;
  }

  private int entryBytes() {
    return packed ? 32 : 16;
  }

  /** {@return how many bytes the regions of all rings take} */
  public long bytes() {
    return bytesPerQueue() * queues;
  }

  private MemorySegment of(MemorySegment all, int ring) {
    return all.asSlice(ring * bytesPerQueue(), bytesPerQueue());
  }

  /** Returns true if a back end has used this ring's region. */
  boolean isUsed(MemorySegment all, int ring) {
    return of(all, ring).get(SHORT, VERSION_AT) == VERSION;
  }

  /** Writes that all chains up to this position were taken and used. */
  void write(MemorySegment all, int ring, int entries, int position) {
    MemorySegment region = of(all, ring);
    region.set(SHORT, ENTRIES_AT, (short) entries);
    if (packed) {
      byte wrap = (byte) ((position >> 15) & 1);
      region.set(SHORT, USED_AT, (short) (position & 0x7fff));
      region.set(SHORT, OLD_USED_AT, (short) (position & 0x7fff));
      region.set(ValueLayout.JAVA_BYTE, WRAP_AT, wrap);
      region.set(ValueLayout.JAVA_BYTE, OLD_WRAP_AT, wrap);
    } else {
      region.set(SHORT, SPLIT_USED_AT, (short) position);
    }
    region.set(SHORT, VERSION_AT, (short) VERSION);
  }

  /**
   * {@return where the ring continues: for a packed ring the index in bits 0 to 14 and the wrap
   * counter in bit 15; for a split ring the used index}
   *
   * @param all the regions of all rings, {@link #bytes()} long
   * @param ring its number, from 0 to below {@link #queues()}
   */
  public int position(MemorySegment all, int ring) {
    MemorySegment region = of(all, ring);
    if (packed) {
      int wrap = region.get(ValueLayout.JAVA_BYTE, WRAP_AT) & 1;
      return (region.get(SHORT, USED_AT) & 0x7fff) | wrap << 15;
    }
    return region.get(SHORT, SPLIT_USED_AT) & 0xffff;
  }

  /**
   * {@return how many requests of a ring are in flight}
   *
   * @param all the regions of all rings, {@link #bytes()} long
   * @param ring its number, from 0 to below {@link #queues()}
   */
  public int inFlight(MemorySegment all, int ring) {
    MemorySegment region = of(all, ring);
    int count = 0;
    for (int i = 0; i < queueSize; i++) {
      long at = headerBytes() + (long) entryBytes() * i;
      count += region.get(ValueLayout.JAVA_BYTE, at) == 0 ? 0 : 1;
    }
    return count;
  }
}
