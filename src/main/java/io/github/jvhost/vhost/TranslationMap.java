package io.github.jvhost.vhost;

import io.github.jvhost.memory.Translation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Translations by I/O virtual address, taken as unsigned; none overlap. Not thread-safe. */
final class TranslationMap {
  private final NavigableMap<Long, Translation> byAddress;

  /** An empty one. */
  TranslationMap() {
    byAddress = new TreeMap<>(Long::compareUnsigned);
  }

  /** A copy. */
  TranslationMap(TranslationMap other) {
    byAddress = new TreeMap<>(other.byAddress);
  }

  /**
   * Adds one.
   *
   * @throws IllegalStateException if another one is there: whatever relies on these would be wrong
   */
  void put(Translation one) {
    List<Translation> there = touching(one.iova(), one.last());
    if (!there.isEmpty() && !(there.size() == 1 && there.getFirst().equals(one))) {
      throw new IllegalStateException(one + " overlaps " + there);
    }
    byAddress.put(one.iova(), one);
  }

  /** Adds one in place of all that it overlaps. */
  void replace(Translation one) {
    removeTouching(one.iova(), one.last());
    byAddress.put(one.iova(), one);
  }

  /** Removes all with an address in a range. */
  void removeTouching(long first, long last) {
    touching(first, last).forEach(this::remove);
  }

  /** Removes the one that begins at the same address, if there is one. */
  void remove(Translation one) {
    byAddress.remove(one.iova());
  }

  /**
   * Takes one of these out, but for what lies outside of a range.
   *
   * @return the part that lies in the range
   */
  Optional<Translation> cut(Translation one, long first, long last) {
    remove(one);
    if (Long.compareUnsigned(one.iova(), first) < 0) {
      one.within(one.iova(), first - 1).ifPresent(this::put);
    }
    if (Long.compareUnsigned(last, one.last()) < 0) {
      one.within(last + 1, one.last()).ifPresent(this::put);
    }
    return one.within(first, last);
  }

  void clear() {
    byAddress.clear();
  }

  int size() {
    return byAddress.size();
  }

  /** Returns a copy, in the order of the addresses. */
  List<Translation> all() {
    return List.copyOf(byAddress.values());
  }

  /** The one that translates an address; null if none does. */
  @Nullable Translation at(long iova) {
    Map.Entry<Long, Translation> entry = byAddress.floorEntry(iova);
    return entry != null && entry.getValue().contains(iova) ? entry.getValue() : null;
  }

  /** Those with an address in a range, in order. */
  List<Translation> touching(long first, long last) {
    Long from = byAddress.floorKey(first);
    List<Translation> found = new ArrayList<>();
    for (Translation one :
        byAddress.subMap(from == null ? first : from, true, last, true).values()) {
      if (one.touches(first, last)) {
        found.add(one);
      }
    }
    return found;
  }

  /** The parts of a piece that none of these covers, in order. */
  List<Translation> missingOf(Translation piece) {
    List<Translation> missing = new ArrayList<>(1);
    long at = piece.iova();
    for (Translation there : touching(piece.iova(), piece.last())) {
      if (Long.compareUnsigned(at, there.iova()) < 0) {
        piece.within(at, there.iova() - 1).ifPresent(missing::add);
      }
      if (Long.compareUnsigned(there.last(), piece.last()) >= 0) {
        return missing;
      }
      at = there.last() + 1;
    }
    piece.within(at, piece.last()).ifPresent(missing::add);
    return missing;
  }

  /**
   * The largest part of a piece around an address that overlaps none of these, but the one that
   * translates the address.
   *
   * @param iova an address of the piece
   */
  Translation roomAround(long iova, Translation piece) {
    Translation there = at(iova);
    Map.Entry<Long, Translation> before = byAddress.lowerEntry(there == null ? iova : there.iova());
    Map.Entry<Long, Translation> behind = byAddress.higherEntry(iova);
    long first = before == null ? 0 : before.getValue().last() + 1;
    long last = behind == null ? -1 : behind.getKey() - 1;
    return piece.within(first, last).orElse(piece);
  }
}
