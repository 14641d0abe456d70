package io.github.jvhost.testkit;

import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.Iotlb;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What one ring knows of I/O virtual addresses: the translations that it was sent, and the misses
 * that it has asked for and that were not answered. Both share the room. Used by one thread.
 *
 * <pre>
 *   look-up of 0x1800, 0x1000 bytes, RW
 *     0x1000 RW   0x2000 R              the first byte that is missing is 0x2000: asked once, then never
 *     |--------|  |--------|            again until a translation fits, or the ring forgets
 *         |-------*
 * </pre>
 *
 * <p>An entry is found by its first address alone: a second one with the same first address is not
 * kept, whatever it says.
 */
final class RingIotlb {
  private final IotlbModel model;
  // By I/O virtual address, the oldest first.
  private final Map<Long, Iotlb> entries = new LinkedHashMap<>();
  private final Set<Asked> asked = new HashSet<>();

  private record Asked(long iova, Access access) {}

  /** A piece of memory behind I/O virtual addresses. */
  record Piece(long userAddress, long length) {}

  RingIotlb(IotlbModel model) {
    this.model = model;
  }

  /** Returns all entries, the oldest first. */
  List<Iotlb> entries() {
    return List.copyOf(entries.values());
  }

  /** Returns the entry that begins at an address, or null if there is none. */
  @Nullable Iotlb at(long iova) {
    return entries.get(iova);
  }

  /** Returns true if an entry's memory touches a range of user addresses. */
  boolean pointsInto(long userAddress, long length) {
    return entries.values().stream()
        .anyMatch(e ->
            e.userAddress() < userAddress + length && userAddress < e.userAddress() + e.length());
  }

  /** Keeps a translation. Returns false if there was one that begins at the same address. */
  boolean add(Iotlb update) {
    boolean isNew = !entries.containsKey(update.iova());
    if (isNew) {
      if (isFull() && !evictOldest()) {
        asked.clear();
      }
      entries.put(update.iova(), update);
    }
    asked.removeIf(miss -> covers(update, miss.iova) && permits(update, miss.access));
    return isNew;
  }

  /**
   * Removes the entries that touch a range, and the one that begins right behind it. The sum of
   * both numbers wraps as it does in DPDK: a range that ends behind the last address removes
   * nothing.
   */
  void remove(long iova, long length) {
    long end = iova + length;
    entries
        .values()
        .removeIf(entry ->
            length != 0
                && Long.compareUnsigned(end, entry.iova()) >= 0
                && Long.compareUnsigned(iova, entry.iova() + entry.length()) < 0);
  }

  /** Forgets the translations, and what was asked for. */
  void clear() {
    entries.clear();
    asked.clear();
  }

  /**
   * Looks a range up.
   *
   * @param length in bytes, 1 or more
   * @param ask receives the miss if a byte is missing that was not asked for yet
   * @return the memory behind all of it, or nothing if a byte of it is missing
   */
  List<Piece> find(long iova, long length, Access access, Consumer<Iotlb> ask) {
    List<Piece> pieces = new ArrayList<>(1);
    long done = 0;
    while (done < length) {
      long at = iova + done;
      Iotlb entry = covering(at);
      if (entry == null || !permits(entry, access)) {
        miss(new Asked(at, access), ask);
        return List.of();
      }
      long offset = at - entry.iova();
      long part = Math.min(length - done, entry.length() - offset);
      join(pieces, entry.userAddress() + offset, part);
      done += part;
    }
    return pieces;
  }

  private void join(List<Piece> pieces, long userAddress, long length) {
    if (!pieces.isEmpty()) {
      Piece last = pieces.getLast();
      if (model.joinsAdjoining() || last.userAddress + last.length == userAddress) {
        pieces.set(pieces.size() - 1, new Piece(last.userAddress, last.length + length));
        return;
      }
    }
    pieces.add(new Piece(userAddress, length));
  }

  /** Entries may overlap: the one that begins first counts. */
  private @Nullable Iotlb covering(long iova) {
    Iotlb first = null;
    for (Iotlb entry : entries.values()) {
      if (covers(entry, iova)
          && (first == null || Long.compareUnsigned(entry.iova(), first.iova()) < 0)) {
        first = entry;
      }
    }
    return first;
  }

  private static boolean covers(Iotlb entry, long iova) {
    return Long.compareUnsigned(iova - entry.iova(), entry.length()) < 0;
  }

  private static boolean permits(Iotlb entry, Access access) {
    return (entry.permission() & access.bits()) == access.bits();
  }

  private void miss(Asked miss, Consumer<Iotlb> ask) {
    if (asked.contains(miss)) {
      return;
    }
    if (isFull()) {
      if (asked.isEmpty()) {
        evictOldest();
      } else {
        asked.clear();
      }
    }
    asked.add(miss);
    ask.accept(new Iotlb(miss.iova, 0, 0, miss.access.bits(), Iotlb.MISS));
  }

  private boolean isFull() {
    return entries.size() + asked.size() >= model.entries();
  }

  private boolean evictOldest() {
    Iterator<Iotlb> oldest = entries.values().iterator();
    if (!oldest.hasNext()) {
      return false;
    }
    oldest.next();
    oldest.remove();
    return true;
  }
}
