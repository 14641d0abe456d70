package io.github.jvhost.memory;

/**
 * A region that is in no table any more and still mapped. Closed once no back end uses it.
 * Thread-safe.
 */
public final class RetiredRegion implements AutoCloseable {
  private final BackedRegion region;
  private boolean closed;

  RetiredRegion(BackedRegion region) {
    this.region = region;
  }

  /** {@return what it was in the table} */
  public MemoryRegion region() {
    return region.region();
  }

  /**
   * Unmaps it; its file is closed unless another region is in it. Slices of it that were given out
   * become invalid. A second time does nothing.
   */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      region.close();
    }
  }
}
