package io.github.jvhost.memory;

import java.util.Optional;

/**
 * What an IOMMU says of a range of I/O virtual addresses (IOVA): the guest memory behind it, in one
 * piece, and what a device may do there. An IOVA is an unsigned number of 64 bits.
 *
 * <pre>
 *   iova           |--- length ---|         0xfffff000 .. 0xffffffff
 *                         |
 *   guest address  |--- length ---|         0x12340000 .. 0x12340fff
 * </pre>
 *
 * <p>Immutable.
 *
 * @param iova of the first byte
 * @param guestAddress of the first byte
 * @param length in bytes, 1 or more; neither range wraps
 * @param access what a device may do there
 */
public record Translation(long iova, long guestAddress, long length, Access access) {
  /** Checks the ranges. */
  public Translation {
    if (length <= 0 || Long.compareUnsigned(iova + length - 1, iova) < 0) {
      throw new IllegalArgumentException(
          "0x%x bytes at I/O virtual address 0x%x".formatted(length, iova));
    }
    if (guestAddress < 0 || guestAddress + length < 0) {
      throw new IllegalArgumentException(
          "0x%x bytes at guest address 0x%x".formatted(length, guestAddress));
    }
  }

  /** {@return the I/O virtual address of its last byte} */
  public long last() {
    return iova + length - 1;
  }

  /**
   * {@return whether this translates an I/O virtual address}
   *
   * @param address any
   */
  public boolean contains(long address) {
    return Long.compareUnsigned(address - iova, length) < 0;
  }

  /**
   * {@return whether this has an address of a range}
   *
   * @param first I/O virtual address of the range's first byte
   * @param last of its last byte, not before the first
   */
  public boolean touches(long first, long last) {
    return Long.compareUnsigned(iova, last) <= 0 && Long.compareUnsigned(first, last()) <= 0;
  }

  /**
   * {@return the part of this that lies in a range; empty if none does}
   *
   * @param first I/O virtual address of the range's first byte
   * @param end of its last byte, not before the first
   */
  public Optional<Translation> within(long first, long end) {
    if (!touches(first, end)) {
      return Optional.empty();
    }
    long from = Long.compareUnsigned(iova, first) < 0 ? first : iova;
    long to = Long.compareUnsigned(last(), end) < 0 ? last() : end;
    return Optional.of(new Translation(from, guestAddress + (from - iova), to - from + 1, access));
  }

  /**
   * {@return whether the other one goes on where this one ends, in I/O virtual addresses}
   *
   * @param next the other one
   */
  public boolean adjoins(Translation next) {
    return last() != -1 && last() + 1 == next.iova;
  }

  /**
   * {@return whether both are one piece: they adjoin in I/O virtual addresses and in guest memory}
   *
   * @param next the other one
   */
  public boolean continuesIn(Translation next) {
    return adjoins(next) && guestAddress + length == next.guestAddress;
  }

  @Override
  public String toString() {
    return "0x%x +0x%x to guest 0x%x %s".formatted(iova, length, guestAddress, access);
  }
}
