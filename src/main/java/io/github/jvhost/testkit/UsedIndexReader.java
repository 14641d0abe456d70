package io.github.jvhost.testkit;

/**
 * A back end's look at guest memory: the index field of a ring's used ring, as it stands there now.
 * Asked only for rings whose addresses lie inside the memory table that was told.
 *
 * <p>Called on the thread of the back end.
 */
@FunctionalInterface
public interface UsedIndexReader {
  /**
   * Reads the index.
   *
   * @param ring the ring's number, from 0
   * @return the free-running index, 0 to 65535
   */
  int usedIndex(int ring);
}
