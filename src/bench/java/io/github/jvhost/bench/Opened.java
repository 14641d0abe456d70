package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.ArrayDeque;
import java.util.Deque;

/** What a benchmark has opened, closed in the opposite order. One thread at a time. */
final class Opened implements AutoCloseable {
  private final Deque<AutoCloseable> resources = new ArrayDeque<>();

  <T extends AutoCloseable> T add(T resource) {
    resources.push(resource);
    return resource;
  }

  /**
   * Closes all of them.
   *
   * @throws VhostException the first failure; the rest is closed nevertheless
   */
  @Override
  public void close() {
    VhostException failure = null;
    while (!resources.isEmpty()) {
      AutoCloseable resource = resources.pop();
      try {
        resource.close();
      } catch (Exception e) {
        if (failure == null) {
          failure = new VhostException("closing " + resource + ": " + e, Recovery.GIVE_UP, e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
