package io.github.jvhost.testkit;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An IOMMU as a table: what a guest has mapped and not unmapped. A test's VMM fills it in, as the
 * emulated IOMMU of a real VMM follows the guest's page tables.
 *
 * <pre>
 *   map    0x1000 .. 0x4fff -> 0x70000     unmap  0x2000 .. 0x2fff
 *   |------------------------------|       |-------|       |---------------|
 *   0x1000                                 0x1000          0x3000 -> 0x72000
 * </pre>
 *
 * <p>The table tells nobody of a change. Its owner calls {@code VhostNet.iotlbInvalidate} after
 * {@link #unmap}, and may call {@code VhostNet.iotlbUpdate} after {@link #map}.
 *
 * <p>Thread-safe.
 */
public final class IommuTable implements Iommu {
  private final TreeMap<Long, Translation> mappings = new TreeMap<>(Long::compareUnsigned);
  private long asked;

  /** Creates an empty table. */
  public IommuTable() {}

  /**
   * Creates a table with the same mappings as another one has now: for a destination, to which the
   * IOMMU's state migrates.
   *
   * @param source stays as it is
   */
  public IommuTable(IommuTable source) {
    source.mappings().forEach(mapping -> mappings.put(mapping.iova(), mapping));
  }

  /**
   * Maps a range. Mappings that are one piece in I/O virtual addresses and in guest memory, with
   * the same access, become one mapping.
   *
   * @param iova I/O virtual address of the first byte
   * @param guestAddress of the first byte
   * @param length in bytes, 1 or more; neither range may wrap
   * @param access what the device may do there
   * @throws IllegalArgumentException when a part of the range is mapped already, or a range wraps;
   *     the table is unchanged then
   */
  public void map(long iova, long guestAddress, long length, Access access) {
    map(new Translation(iova, guestAddress, length, access));
  }

  /**
   * The same, with the mapping as one value.
   *
   * @param mapping its access is what the device may do there
   * @throws IllegalArgumentException when a part of the range is mapped already; the table is
   *     unchanged then
   */
  public synchronized void map(Translation mapping) {
    Translation before = floor(mapping.last());
    if (before != null && before.touches(mapping.iova(), mapping.last())) {
      throw new IllegalArgumentException("mapping " + mapping + ": there is " + before);
    }
    Translation joined = mapping;
    if (before != null && isOnePiece(before, joined)) {
      joined = join(before, joined);
    }
    Map.Entry<Long, Translation> after = mappings.higherEntry(mapping.iova());
    if (after != null && isOnePiece(joined, after.getValue())) {
      mappings.remove(after.getKey());
      joined = join(joined, after.getValue());
    }
    mappings.put(joined.iova(), joined);
  }

  private static boolean isOnePiece(Translation a, Translation b) {
    return a.access() == b.access() && a.continuesIn(b) && a.length() + b.length() > 0;
  }

  private static Translation join(Translation a, Translation b) {
    return new Translation(a.iova(), a.guestAddress(), a.length() + b.length(), a.access());
  }

  /**
   * Unmaps a range. A mapping that lies in it in part keeps the rest. What is not mapped does not
   * matter.
   *
   * @param iova I/O virtual address of the first byte
   * @param length in bytes, as an unsigned number; 0 unmaps nothing. A range that would wrap ends
   *     at the last address
   */
  public synchronized void unmap(long iova, long length) {
    if (length == 0) {
      return;
    }
    long end = iova + length - 1;
    long last = Long.compareUnsigned(end, iova) < 0 ? -1L : end;
    List<Translation> touched =
        mappings.values().stream().filter(mapping -> mapping.touches(iova, last)).toList();
    for (Translation mapping : touched) {
      mappings.remove(mapping.iova());
      if (Long.compareUnsigned(mapping.iova(), iova) < 0) {
        keep(mapping, mapping.iova(), iova - 1);
      }
      if (Long.compareUnsigned(last, mapping.last()) < 0) {
        keep(mapping, last + 1, mapping.last());
      }
    }
  }

  private void keep(Translation mapping, long first, long last) {
    mapping.within(first, last).ifPresent(part -> mappings.put(part.iova(), part));
  }

  @Override
  public synchronized Optional<Translation> translate(long iova, Access access) {
    asked++;
    return Optional.ofNullable(floor(iova))
        .filter(mapping -> mapping.contains(iova) && mapping.access().permits(access));
  }

  private @Nullable Translation floor(long iova) {
    Map.Entry<Long, Translation> entry = mappings.floorEntry(iova);
    return entry == null ? null : entry.getValue();
  }

  /** {@return all mappings, in the order of their I/O virtual addresses} */
  public synchronized List<Translation> mappings() {
    return new ArrayList<>(mappings.values());
  }

  /** {@return how often {@link #translate} was called} */
  public synchronized long asked() {
    return asked;
  }
}
