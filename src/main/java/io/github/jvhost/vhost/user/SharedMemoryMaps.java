package io.github.jvhost.vhost.user;

import io.github.jvhost.protocol.MmapRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The parts of shared memory regions that a back end has mapped (vhost-user, SHMEM_MAP and
 * SHMEM_UNMAP). A range that is mapped already cannot be mapped again, only a whole mapping can be
 * removed, and mappings end with a reset of the device. They also end with the connection, because
 * another back end does not know them and could never remove them.
 *
 * <p>For the thread that serves the connection.
 */
final class SharedMemoryMaps {
  /** Most mappings, so that no back end can use memory without end. */
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
   * Removes a mapping, if the range is exactly that mapping.
   *
   * @param unmap removes it; false: it stays
   * @return whether it was removed
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

  /** Removes all mappings. A mapping that cannot be removed does not stop the others. */
  void end(Predicate<MmapRequest> unmap) {
    List<MmapRequest> ending = List.copyOf(maps);
    maps.clear();
    for (MmapRequest map : ending) {
      try {
        if (!unmap.test(map)) {
          log.warn("undoing a mapping into shared memory, {}: refused", map);
        }
      } catch (Throwable e) { // also an Error
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
