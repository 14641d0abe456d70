package io.github.jvhost.memory;

import java.util.List;

/**
 * Joins adjacent pages into runs. A run ends at the end of its region or at a greatest length.
 * Pages outside of all regions are left out.
 */
final class RunCutter {
  private final List<MemoryRegion> regions;
  private final long longest;
  private final PageRun action;
  private int region;
  private long start;
  private long length;
  private long pages;

  RunCutter(MemoryTable table, long longest, PageRun action) {
    if (longest <= 0 || longest % MemoryRegion.PAGE != 0) {
      throw new IllegalArgumentException("runs of at most " + longest + " bytes");
    }
    this.regions = table.regions();
    this.longest = longest;
    this.action = action;
  }

  /** Adds pages. Their addresses are above all those added before. */
  void add(long guestAddress, long bytes) {
    long end = guestAddress + bytes;
    for (long at = guestAddress; at < end; ) {
      while (region < regions.size() && regions.get(region).end() <= at) {
        flush();
        region++;
      }
      if (region == regions.size()) {
        return;
      }
      at = Math.max(at, regions.get(region).guestAddress());
      long until = Math.min(end, regions.get(region).end());
      if (at < until) {
        append(at, until);
      }
      at = Math.max(at, until);
    }
  }

  private void append(long from, long until) {
    if (from != start + length) {
      flush();
    }
    for (long at = from; at < until; ) {
      if (length == 0) {
        start = at;
      }
      long more = Math.min(until - at, longest - length);
      length += more;
      at += more;
      if (length == longest) {
        flush();
      }
    }
  }

  private void flush() {
    long bytes = length;
    length = 0;
    if (bytes > 0) {
      pages += bytes / MemoryRegion.PAGE;
      action.pages(start, bytes);
    }
  }

  /** Hands out the last run. Returns the number of all pages that were handed out. */
  long end() {
    flush();
    return pages;
  }
}
