package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.InflightRegion;
import org.jspecify.annotations.Nullable;

/**
 * The region that a back end has made for its requests in flight, kept for the one that comes after
 * it. Guarded by the lock of its {@link VhostNet}.
 */
final class KeptInflight {
  private @Nullable InflightRegion region;

  /** Whether rings may have run since the region was made: then it has something to say. */
  private boolean used;

  /** The region; null: there is none. */
  @Nullable InflightRegion region() {
    return region;
  }

  /** Keeps another region, ours from here on; null: none was made, and this one stays. */
  void keep(@Nullable InflightRegion made) {
    if (made != null) {
      close();
      region = made;
    }
  }

  /** Rings run, or may. */
  void served() {
    used = true;
  }

  /**
   * The rings are others from now on: a region that has seen those before goes. One that an early
   * set-up has made stays.
   */
  void otherRings() {
    if (used) {
      close();
    }
  }

  /** It has nothing to say any more. */
  void close() {
    if (region != null) {
      region.file().close();
      region = null;
    }
    used = false;
  }
}
