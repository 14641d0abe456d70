package io.github.jvhost.vhost;

import io.github.jvhost.protocol.MmapRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which parts of shared memory regions a back end has mapped (vhost-user, SHMEM_MAP and
 * SHMEM_UNMAP): a range that is mapped already cannot be mapped again, only a whole mapping can be
 * undone, and mappings end with a reset of the device. They end with the connection, too: another
 * back end knows nothing of them, and could never undo them.
 *
 * <p>For the thread that serves the connection.
 */
final class SharedMemoryMaps {
  /** So that no back end can make this grow without end. */
  static final int LIMIT = 4096;

  private static final Logger log = LoggerFactory.getLogger(SharedMemoryMaps.class);

  private final List<MmapRequest> maps = new ArrayList<>();

  /** Whether the range may be mapped: it is not empty, and all of it is free. */
  boolean mayMap(MmapRequest request) {
    return request.length() != 0
        && maps.size() < LIMIT
        && maps.stream().noneMatch(map -> overlap(map, request));
  }

  void mapped(MmapRequest request) {
    maps.add(request);
  }

  /**
   * Undoes a mapping, if the range is just that.
   *
   * @param unmap does it; false: it stays
   * @return whether it is undone
   */
  boolean unmap(MmapRequest request, Predicate<MmapRequest> unmap) {
    for (int i = 0; i < maps.size(); i++) {
      if (same(maps.get(i), request)) {
        boolean done = unmap.test(request);
        if (done) {
          maps.remove(i);
        }
        return done;
      }
    }
    return false;
  }

  /** Undoes all of them. One that cannot be undone does not keep the others from it. */
  void end(Predicate<MmapRequest> unmap) {
    List<MmapRequest> ending = List.copyOf(maps);
    maps.clear();
    for (MmapRequest map : ending) {
      try {
        if (!unmap.test(map)) {
          log.warn("undoing a mapping into shared memory, {}: refused", map);
        }
      } catch (Throwable e) { // an Error, too
        log.warn("undoing a mapping into shared memory, {}: failed", map, e);
      }
    }
  }

  private static boolean overlap(MmapRequest a, MmapRequest b) {
    return a.region() == b.region()
        && Long.compareUnsigned(a.regionOffset(), last(b)) <= 0
        && Long.compareUnsigned(b.regionOffset(), last(a)) <= 0;
  }

  /** Inclusive, because a range may end where 64 bits do. */
  private static long last(MmapRequest map) {
    return map.regionOffset() + (map.length() - 1);
  }

  private static boolean same(MmapRequest a, MmapRequest b) {
    return a.region() == b.region()
        && a.regionOffset() == b.regionOffset()
        && a.length() == b.length();
  }
}
