package io.github.jvhost.memory;

import java.util.ArrayList;
import java.util.List;

/**
 * Guest memory under the addresses that a device uses: guest addresses, or I/O virtual addresses
 * where an {@link Iommu} stands between.
 *
 * <p>An access outside of guest memory throws {@link GuestAddressException}, and so does one that
 * the IOMMU does not translate. Nothing was read or written then. Numbers are little-endian.
 *
 * @param guest the memory itself
 * @param iommu that translates; {@link Iommu#NONE} if there is none
 */
public record DeviceMemory(GuestMemory guest, Iommu iommu) {

  /**
   * {@return memory as a device without an IOMMU sees it}
   *
   * @param guest the memory itself
   */
  public static DeviceMemory of(GuestMemory guest) {
    return new DeviceMemory(guest, Iommu.NONE);
  }

  /** {@return whether an IOMMU translates} */
  @SuppressWarnings("ReferenceEquality") // NONE is one object, whose meaning no other one has
  public boolean translated() {
    return iommu != Iommu.NONE;
  }

  /**
   * {@return the guest address of a piece of memory}
   *
   * @param address the device's
   * @param length in bytes
   * @param access what the device does there
   * @throws GuestAddressException if it is not one piece that the IOMMU translates
   */
  public long at(long address, long length, Access access) {
    if (!translated()) {
      return address;
    }
    Translation found =
        iommu
            .translate(address, access)
            .filter(t -> t.contains(address) && length <= t.length() - (address - t.iova()))
            .orElseThrow(() -> untranslated(address, length));
    return found.guestAddress() + (address - found.iova());
  }

  private static GuestAddressException untranslated(long address, long length) {
    return new GuestAddressException(
        address, length, "is an I/O virtual address that the IOMMU does not translate");
  }

  /**
   * {@return the pieces of guest memory behind a range, in its order; they cover all of it}
   *
   * @param address of the range's first byte, the device's
   * @param length in bytes, 1 or more
   * @param access what the device does there
   * @throws GuestAddressException if a part of it is not translated, or not in guest memory
   */
  public List<Translation> pieces(long address, long length, Access access) {
    long last = address + length - 1;
    if (length <= 0 || Long.compareUnsigned(last, address) < 0) {
      throw untranslated(address, length);
    }
    MemoryTable table = guest.table();
    if (!translated()) {
      var _ = table.regionOf(address, length);
      return List.of(new Translation(address, address, length, Access.READ_WRITE));
    }
    List<Translation> pieces = new ArrayList<>(1);
    long from = address;
    while (true) {
      long first = from;
      Translation piece =
          iommu
              .translate(first, access)
              .filter(t -> t.contains(first))
              .flatMap(t -> t.within(first, last))
              .orElseThrow(() -> untranslated(first, last - first + 1));
      if (!table.contains(piece.guestAddress(), piece.length())) {
        throw GuestAddressException.outside(piece.guestAddress(), piece.length());
      }
      pieces.add(piece);
      if (piece.last() == last) {
        return pieces;
      }
      from = piece.last() + 1;
    }
  }

  /**
   * {@return whether all of a range can be read}
   *
   * @param address of the range's first byte, the device's
   * @param length in bytes
   */
  public boolean contains(long address, long length) {
    if (!translated()) {
      return guest.table().contains(address, length);
    }
    try {
      pieces(address, length, Access.READ);
      return true;
    } catch (GuestAddressException e) {
      return false;
    }
  }

  /**
   * {@return a copy of a range, which may lie in several pieces}
   *
   * @param address of its first byte, the device's
   * @param length in bytes, 1 or more
   */
  public byte[] read(long address, int length) {
    byte[] all = new byte[length];
    for (Translation piece : pieces(address, length, Access.READ)) {
      guest.copyOut(
          piece.guestAddress(), all, (int) (piece.iova() - address), (int) piece.length());
    }
    return all;
  }

  /**
   * {@return two bytes}
   *
   * @param address the device's
   */
  public short getShort(long address) {
    return guest.getShort(at(address, Short.BYTES, Access.READ));
  }

  /**
   * {@return four bytes}
   *
   * @param address the device's
   */
  public int getInt(long address) {
    return guest.getInt(at(address, Integer.BYTES, Access.READ));
  }

  /**
   * {@return eight bytes}
   *
   * @param address the device's
   */
  public long getLong(long address) {
    return guest.getLong(at(address, Long.BYTES, Access.READ));
  }

  /**
   * {@return two aligned bytes, as {@link GuestMemory#getShortAcquire}}
   *
   * @param address the device's, a multiple of 2
   */
  public short getShortAcquire(long address) {
    return guest.getShortAcquire(at(address, Short.BYTES, Access.READ));
  }

  /**
   * {@return four aligned bytes, as {@link GuestMemory#getIntAcquire}}
   *
   * @param address the device's, a multiple of 4
   */
  public int getIntAcquire(long address) {
    return guest.getIntAcquire(at(address, Integer.BYTES, Access.READ));
  }

  /**
   * Writes one byte.
   *
   * @param address the device's
   * @param value what is written
   */
  public void putByte(long address, byte value) {
    guest.putByte(at(address, Byte.BYTES, Access.WRITE), value);
  }

  /**
   * Writes two bytes.
   *
   * @param address the device's
   * @param value what is written
   */
  public void putShort(long address, short value) {
    guest.putShort(at(address, Short.BYTES, Access.WRITE), value);
  }

  /**
   * Writes four bytes.
   *
   * @param address the device's
   * @param value what is written
   */
  public void putInt(long address, int value) {
    guest.putInt(at(address, Integer.BYTES, Access.WRITE), value);
  }

  /**
   * Writes two aligned bytes, as {@link GuestMemory#putShortRelease}.
   *
   * @param address the device's, a multiple of 2
   * @param value what is written
   */
  public void putShortRelease(long address, short value) {
    guest.putShortRelease(at(address, Short.BYTES, Access.WRITE), value);
  }

  /**
   * Writes four aligned bytes, as {@link GuestMemory#putIntRelease}.
   *
   * @param address the device's, a multiple of 4
   * @param value what is written
   */
  public void putIntRelease(long address, int value) {
    guest.putIntRelease(at(address, Integer.BYTES, Access.WRITE), value);
  }
}
