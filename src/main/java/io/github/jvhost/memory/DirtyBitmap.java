package io.github.jvhost.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.function.LongConsumer;

/**
 * The pages of guest memory that were written: one bit per 4096 bytes of guest address, from
 * address 0.
 *
 * <pre>
 *   word  page p is bit p % 64 of word p / 64
 *   0     | page 0 .. page 63 |    = 256 KiB of guest memory, the same chunk as in the shared log
 *   1     | page 64 ..        |
 * </pre>
 *
 * <p>Thread-safe without a lock. Marking is an atomic OR, and taking marks away is an atomic
 * exchange. A page that one thread marks while another takes it is reported now or the next time;
 * it is never lost. A writer must write first and mark afterwards. Otherwise another thread could
 * take the mark and copy the page before the write.
 */
public final class DirtyBitmap {
  /** Bytes of guest memory per word. */
  static final long BYTES_PER_WORD = MemoryRegion.PAGE * Long.SIZE;

  /** 256 TiB. A larger bitmap does not fit into one array. */
  private static final long ADDRESS_LIMIT = 1L << 48;

  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final long[] words;

  /**
   * Makes a bitmap without marks.
   *
   * @param highestAddress the last guest address it has to cover ({@link
   *     MemoryTable#highestAddress()}), rounded up to a whole word of 64 pages; -1 covers one word
   */
  public DirtyBitmap(long highestAddress) {
    if (highestAddress < -1 || highestAddress >= ADDRESS_LIMIT) {
      throw new IllegalArgumentException("a dirty bitmap up to address " + highestAddress);
    }
    this.words = new long[Math.toIntExact(highestAddress / BYTES_PER_WORD + 1)];
  }

  /** {@return the last guest address that can be marked} */
  public long highestAddress() {
    return words.length * BYTES_PER_WORD - 1;
  }

  /**
   * Marks every page that {@code [gpa, +length)} touches. Call it after the write.
   *
   * @param gpa guest address of the first byte, not negative
   * @param length in bytes; 0 or less marks nothing
   * @throws IllegalArgumentException when a page lies beyond {@link #highestAddress()}
   */
  public void mark(long gpa, long length) {
    if (length <= 0) {
      return;
    }
    if (gpa < 0 || length - 1 > highestAddress() - gpa) {
      throw new IllegalArgumentException(
          "mark 0x" + Long.toHexString(gpa) + ", " + length + " bytes: beyond " + this);
    }
    long first = gpa / MemoryRegion.PAGE;
    long last = (gpa + length - 1) / MemoryRegion.PAGE;
    int firstWord = (int) (first / Long.SIZE);
    int lastWord = (int) (last / Long.SIZE);
    for (int w = firstWord; w <= lastWord; w++) {
      long bits = -1L;
      if (w == firstWord) {
        bits &= -1L << first; // a shift uses only the low six bits of its distance
      }
      if (w == lastWord) {
        bits &= -1L >>> (Long.SIZE - 1 - last % Long.SIZE);
      }
      markWord(w, bits);
    }
  }

  /**
   * Marks the pages of a bitmap of one range of memory, as KVM_GET_DIRTY_LOG fills it in: page
   * {@code i} of the range is bit {@code i % 64} of word {@code i / 64}.
   *
   * @param gpa guest address of the first page of the range, a multiple of 4096
   * @param pages the bitmap; bits beyond the end of the range must be clear
   * @throws IllegalArgumentException when {@code gpa} is not aligned, or a marked page lies beyond
   *     {@link #highestAddress()}
   */
  public void markPages(long gpa, long[] pages) {
    if (gpa % MemoryRegion.PAGE != 0) {
      throw new IllegalArgumentException("pages marked from 0x" + Long.toHexString(gpa) + " on");
    }
    for (int w = 0; w < pages.length; w++) {
      long at = gpa + w * BYTES_PER_WORD;
      for (long left = pages[w]; left != 0; ) {
        int first = Long.numberOfTrailingZeros(left);
        int run = Math.min(Long.numberOfTrailingZeros(~(left >>> first)), Long.SIZE - first);
        mark(at + first * MemoryRegion.PAGE, run * MemoryRegion.PAGE);
        left &= first + run == Long.SIZE ? 0 : -1L << (first + run);
      }
    }
  }

  /**
   * {@return whether the page at {@code gpa} is marked; false beyond the end}
   *
   * @param gpa guest address of any byte of the page
   */
  public boolean isMarked(long gpa) {
    if (gpa < 0 || gpa > highestAddress()) {
      return false;
    }
    long page = gpa / MemoryRegion.PAGE;
    return ((long) WORD.getVolatile(words, (int) (page / Long.SIZE)) >>> page & 1) != 0;
  }

  /**
   * Adds the marks of {@code other} to this bitmap. {@code other} keeps them.
   *
   * @param other other threads may mark it meanwhile
   * @throws IllegalArgumentException when {@code other} covers more than this one
   */
  public void merge(DirtyBitmap other) {
    requireRoomFor(other.words.length);
    for (int w = 0; w < other.words.length; w++) {
      long bits = (long) WORD.getVolatile(other.words, w);
      if (bits != 0) {
        markWord(w, bits);
      }
    }
  }

  /**
   * Moves all marks to {@code target}.
   *
   * @param target receives the marks; it keeps its own
   * @return how many pages were marked here, whether or not they were in {@code target} already
   * @throws IllegalArgumentException when this one covers more than {@code target}
   */
  public long drainInto(DirtyBitmap target) {
    target.requireRoomFor(words.length);
    long pages = 0;
    for (int w = 0; w < words.length; w++) {
      long bits = takeWord(w);
      if (bits != 0) {
        target.markWord(w, bits);
        pages += Long.bitCount(bits);
      }
    }
    return pages;
  }

  /**
   * Takes the marks away and gives the guest address of each page to {@code action}, in ascending
   * order. A page that is marked again while {@code action} runs is reported again the next time. A
   * back end can mark addresses without memory: check with {@link MemoryTable#contains}.
   *
   * @param action called on this thread, once for each page
   * @return how many pages there were
   */
  public long drain(LongConsumer action) {
    long pages = 0;
    for (int w = 0; w < words.length; w++) {
      pages += forEach(w, takeWord(w), action);
    }
    return pages;
  }

  /**
   * Takes the marks away and gives the pages to {@code action} in ascending order, as runs of
   * adjacent pages of one region. A back end can mark addresses without memory: these marks are
   * dropped. A page that is marked again while {@code action} runs is reported again the next time.
   *
   * @param table of guest memory
   * @param longest the most bytes of one run, a multiple of 4096; marks are taken away only shortly
   *     before their run is handed out
   * @param action called on this thread, once for each run
   * @return how many pages were handed out
   * @throws IllegalArgumentException when {@code longest} is not a positive multiple of 4096
   */
  public long drainRuns(MemoryTable table, long longest, PageRun action) {
    var runs = new RunCutter(table, longest, action);
    for (int w = 0; w < words.length; w++) {
      long base = w * BYTES_PER_WORD;
      for (long left = takeWord(w); left != 0; ) {
        int first = Long.numberOfTrailingZeros(left);
        int run = Math.min(Long.numberOfTrailingZeros(~(left >>> first)), Long.SIZE - first);
        runs.add(base + first * MemoryRegion.PAGE, run * MemoryRegion.PAGE);
        left &= first + run == Long.SIZE ? 0 : -1L << (first + run);
      }
    }
    return runs.end();
  }

  /**
   * Gives the guest address of each marked page to {@code action}, in ascending order. The marks
   * stay.
   *
   * @param action called on this thread, once for each page
   */
  public void forEachDirtyPage(LongConsumer action) {
    for (int w = 0; w < words.length; w++) {
      forEach(w, (long) WORD.getVolatile(words, w), action);
    }
  }

  /** {@return how many pages are marked} */
  public long count() {
    long pages = 0;
    for (int w = 0; w < words.length; w++) {
      pages += Long.bitCount((long) WORD.getVolatile(words, w));
    }
    return pages;
  }

  /** Removes all marks. */
  public void clear() {
    for (int w = 0; w < words.length; w++) {
      WORD.setVolatile(words, w, 0L);
    }
  }

  @Override
  public String toString() {
    return "a dirty bitmap up to 0x" + Long.toHexString(highestAddress());
  }

  /**
   * Marks 64 pages at once. It always does the atomic OR, even if all bits are already set: a plain
   * read could be done before the processor has published the preceding write. A collector could
   * then take the bit and read the old bytes.
   */
  void markWord(int word, long bits) {
    WORD.getAndBitwiseOr(words, word, bits);
  }

  void requireRoomFor(long otherWords) {
    if (otherWords > words.length) {
      throw new IllegalArgumentException(
          otherWords * BYTES_PER_WORD + " bytes of guest address do not fit into " + this);
    }
  }

  private long takeWord(int word) {
    // Read first, so that words without marks are not written. A later mark is taken the next time.
    if ((long) WORD.getVolatile(words, word) == 0) {
      return 0;
    }
    return (long) WORD.getAndSet(words, word, 0L);
  }

  private static long forEach(int word, long bits, LongConsumer action) {
    for (long left = bits; left != 0; left &= left - 1) {
      long page = (long) word * Long.SIZE + Long.numberOfTrailingZeros(left);
      action.accept(page * MemoryRegion.PAGE);
    }
    return Long.bitCount(bits);
  }
}
