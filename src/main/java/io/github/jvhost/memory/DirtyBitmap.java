package io.github.jvhost.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.function.LongConsumer;

/**
 * Which pages of guest memory were written, one bit per 4096 bytes of guest address, from address 0
 * on.
 *
 * <pre>
 *   word  page p is bit p % 64 of word p / 64
 *   0     | page 0 .. page 63 |    = 256 KiB of guest memory, the same chunk as in the shared log
 *   1     | page 64 ..        |
 * </pre>
 *
 * <p>Thread-safe without a lock: marking is an atomic OR and taking an atomic exchange, so that a
 * page which is marked while it is taken is reported now or the next time, never not at all. The
 * rule for whoever writes is: write, then mark. The other way round, the page could be taken and
 * copied between the mark and the write.
 */
public final class DirtyBitmap {
  /** How much guest memory one word stands for, in bytes. */
  static final long BYTES_PER_WORD = MemoryRegion.PAGE * Long.SIZE;

  /** 256 TiB; beyond it the words do not fit into one array. */
  private static final long ADDRESS_LIMIT = 1L << 48;

  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final long[] words;

  /**
   * A bitmap with nothing marked.
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
   * Marks every page that {@code [gpa, +length)} touches. To be called after the write.
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
   * Marks what a bitmap of one stretch of memory says, as KVM_GET_DIRTY_LOG fills it in: page
   * {@code i} of the stretch is bit {@code i % 64} of word {@code i / 64}.
   *
   * @param gpa of the stretch's first page, a multiple of 4096
   * @param pages the bitmap; bits behind the stretch's end have to be clear
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
   * Marks here what is marked in {@code other}, which stays as it is.
   *
   * @param other may be marked by others meanwhile
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
   * @param target where they are added; what it has marked stays
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
   * Takes the marks away and hands each page's guest address to {@code action}, in ascending order.
   * A page that is marked again while {@code action} looks at it is there again for the next time.
   * A back end can mark pages where no memory is: check with {@link MemoryTable#contains}.
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
   * Takes the marks away and hands out the pages in runs, in ascending order: pages that lie one
   * behind the other in one region. Marks where no memory is, which a back end can make, are
   * dropped. A page that is marked again while {@code action} looks at it is there again for the
   * next time.
   *
   * @param table of guest memory
   * @param longest the most bytes of one run, a multiple of 4096; marks are taken away only a
   *     little ahead of the run that is handed out
   * @param action called on this thread, once for each run
   * @return how many pages were handed out
   * @throws IllegalArgumentException when {@code longest} is no such number
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
   * Hands the guest address of each marked page to {@code action}, in ascending order, and leaves
   * the marks.
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

  /** Forgets all marks. */
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
   * Marks 64 pages at once. Always with the atomic OR, even where all bits are set already: a plain
   * look could be satisfied before the write that it follows has left the processor, while a
   * collector takes the bit and reads the old bytes.
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
    // The look first keeps clean memory from being written; what is marked after it is taken the
    // next time.
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
