package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.InflightRegion;
import org.jspecify.annotations.Nullable;

/**
 * The region that a back end has made for its requests in flight, kept for the next back end.
 * Guarded by the lock of its {@link VhostNet}.
 */
final class KeptInflight {
  private @Nullable InflightRegion region;

  /** Whether rings may have run since the region was made, so that it may have records. */
  private boolean used;

  /** The region; null: there is none. */
  @Nullable InflightRegion region() {
    return region;
  }

  /** Keeps another region and owns it; null: none was made, and this one stays. */
  void keep(@Nullable InflightRegion made) {
    if (made != null) {
      close();
      region = made;
    }
  }

  /** Rings run or may run. */
  void served() {
    used = true;
  }

  /**
   * The rings are others from now on: a region that was used is closed. A region that presetup has
   * made and that was not used stays.
   */
  void otherRings() {
    if (used) {
      close();
    }
  }

  /** Closes the region, if there is one. */
  void close() {
    if (region != null) {
      region.file().close();
      region = null;
    }
    used = false;
  }
}
