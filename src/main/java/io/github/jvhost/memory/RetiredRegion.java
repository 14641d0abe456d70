package io.github.jvhost.memory;

/**
 * A region that is no longer in the table but still mapped. The caller closes it when no back end
 * uses it any more. Thread-safe.
 */
public final class RetiredRegion implements AutoCloseable {
  private final BackedRegion region;
  private boolean closed;

  RetiredRegion(BackedRegion region) {
    this.region = region;
  }

  /** {@return the region as it was in the table} */
  public MemoryRegion region() {
    return region.region();
  }

  /**
   * Unmaps the region, and closes its file unless another region uses it. Slices of the region
   * become invalid. A second call does nothing.
   */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      region.close();
    }
  }
}
