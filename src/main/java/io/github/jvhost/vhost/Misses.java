package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.function.Predicate;

/** What a back end has asked for, each once, by address. Not thread-safe. */
final class Misses {
  private final NavigableSet<Miss> all =
      new TreeSet<>(
          Comparator.comparing(Miss::iova, Long::compareUnsigned).thenComparing(Miss::access));

  /**
   * One of them.
   *
   * @param iova I/O virtual address, of a byte
   * @param access what the back end wants to do there
   */
  record Miss(long iova, Access access) {}

  void add(Miss miss) {
    all.add(miss);
  }

  void remove(Miss miss) {
    all.remove(miss);
  }

  boolean contains(Miss miss) {
    return all.contains(miss);
  }

  void clear() {
    all.clear();
  }

  boolean isEmpty() {
    return all.isEmpty();
  }

  int size() {
    return all.size();
  }

  /** A copy, in the order of the addresses. */
  List<Miss> all() {
    return List.copyOf(all);
  }

  /** Removes those of a range that match. */
  void removeIf(long first, long last, Predicate<Miss> matches) {
    in(first, last).removeIf(matches);
  }

  /** Removes those of a range that match, and returns them. */
  List<Miss> take(long first, long last, Predicate<Miss> matches) {
    List<Miss> taken = new ArrayList<>(0);
    in(first, last).removeIf(miss -> matches.test(miss) && taken.add(miss));
    return taken;
  }

  private NavigableSet<Miss> in(long first, long last) {
    return all.subSet(new Miss(first, Access.READ), true, new Miss(last, Access.READ_WRITE), true);
  }
}
