package io.github.jvhost.memory;

/** What is done with pages that lie one behind the other. */
@FunctionalInterface
public interface PageRun {
  /**
   * Takes them.
   *
   * @param guestAddress of the first byte, a multiple of 4096
   * @param bytes a multiple of 4096, more than zero; all of them in one region
   */
  void pages(long guestAddress, long bytes);
}
