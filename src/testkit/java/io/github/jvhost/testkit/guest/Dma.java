package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.virtio.NetFeature;
import org.jspecify.annotations.Nullable;

/**
 * What the driver of one NIC tells its device in place of guest addresses, and the mappings behind
 * that. A unit of memory that is mapped together has I/O virtual addresses that follow from its
 * guest address, so that nothing about them needs to be kept:
 *
 * <pre>
 *   guest address    ... |  unit at s  |  next unit  | ...
 *                         \            \
 *   I/O virtual      1 TiB + (s / 64) pages x 2       whole pages; at least one page of nothing in between
 * </pre>
 *
 * @param mode guest addresses, or which mappings
 * @param iommu where mappings are made; null if there are none
 */
record Dma(DmaMode mode, @Nullable GuestIommu iommu) {
  private static final long FIRST = 1L << 40;
  private static final int SMALLEST_UNIT = 64;

  /** Returns what a driver with these features does. */
  static Dma of(GuestRam ram, GuestSettings settings, NicBlock block, GuestNic nic) {
    boolean platform = NetFeature.ACCESS_PLATFORM.in(block.features());
    DmaMode mode = platform ? settings.dma() : DmaMode.GUEST_ADDRESSES;
    if (mode != DmaMode.GUEST_ADDRESSES && nic.iommu() == null) {
      throw ram.failure(nic.device().name() + " has no IOMMU that its driver could program");
    }
    return new Dma(mode, mode == DmaMode.GUEST_ADDRESSES ? null : nic.iommu());
  }

  /** Returns what the device is told for a guest address within a unit, or within a page of it. */
  long address(long unit, long gpa) {
    return iommu == null ? gpa : firstPage(unit) + (gpa - page(unit));
  }

  private static long firstPage(long unit) {
    return FIRST + unit / SMALLEST_UNIT * (2L * GuestRam.PAGE);
  }

  private static long page(long gpa) {
    return gpa & -(long) GuestRam.PAGE;
  }

  /** Maps the pages of a unit. */
  void map(long unit, long bytes, Access access) {
    if (iommu != null) {
      iommu.map(new Translation(firstPage(unit), page(unit), wholePages(unit, bytes), access));
    }
  }

  /** Unmaps the pages of a unit. */
  void unmap(long unit, long bytes) {
    if (iommu != null) {
      iommu.unmap(firstPage(unit), wholePages(unit, bytes));
    }
  }

  private static long wholePages(long unit, long bytes) {
    return page(unit + bytes + GuestRam.PAGE - 1) - page(unit);
  }

  /** Maps all parts of a ring together. */
  void mapRing(DriverRing ring) {
    map(ring.desc(), ring.end() - ring.desc(), Access.READ_WRITE);
  }

  /** Unmaps a ring. */
  void unmapRing(DriverRing ring) {
    unmap(ring.desc(), ring.end() - ring.desc());
  }

  /** Returns whether each frame that is sent is mapped. */
  boolean perFrame() {
    return mode == DmaMode.PER_FRAME;
  }

  /**
   * Maps the page of a frame at the addresses of a unit, wherever it is.
   *
   * @param unit whose addresses they are; nothing is mapped there
   * @param gpa of the frame, which does not reach over the end of its page
   * @return what the device is told
   */
  long mapFrame(long unit, long gpa) {
    if (iommu != null) {
      iommu.map(new Translation(firstPage(unit), page(gpa), GuestRam.PAGE, Access.READ));
    }
    return firstPage(unit) + (gpa - page(gpa));
  }

  /** Unmaps what {@link #mapFrame} mapped there. */
  void unmapFrame(long unit) {
    if (iommu != null) {
      iommu.unmap(firstPage(unit), GuestRam.PAGE);
    }
  }
}
