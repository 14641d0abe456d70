package io.github.jvhost.memory;

/** Handles a run of adjacent pages. */
@FunctionalInterface
public interface PageRun {
  /**
   * Handles one run.
   *
   * @param guestAddress guest address of the first byte, a multiple of 4096
   * @param bytes length of the run, a multiple of 4096, more than zero; the run is within one
   *     region
   */
  void pages(long guestAddress, long bytes);
}
