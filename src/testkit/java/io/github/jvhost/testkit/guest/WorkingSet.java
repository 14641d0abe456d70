package io.github.jvhost.testkit.guest;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Pages that the guest keeps changing. Their contents show each page that a migration copied in
 * part, copied too early or did not copy.
 *
 * <pre>
 *   page                                                   table (pages of its own)
 *   0      8         16                    4088            0       4          8            16        24
 *   +------+---------+---------------------+----------+    +-------+----------+------------+---------+-----------
 *   | gpa  | counter | bytes computed from | checksum |    | pages | capacity | generation | sum of  | gpa, expected
 *   |      |         | gpa and counter     |          |    |       |          |            | counters| counter, ...
 *   +------+---------+---------------------+----------+    +-------+----------+------------+---------+-----------
 *     torn or never copied: the page contradicts itself      old but sound: the page contradicts the table
 *                                                            old table: its generation contradicts the boot block
 * </pre>
 */
final class WorkingSet {
  private static final long CAPACITY = 4;
  private static final long GENERATION = 8;
  private static final long SUM = 16;
  private static final long ENTRIES = 24;
  private static final int ENTRY = 16;
  private static final int CHECKSUM = GuestRam.PAGE - 8;

  private final GuestRam ram;
  private final long table;

  private WorkingSet(GuestRam ram, long table) {
    this.ram = ram;
    this.table = table;
  }

  static WorkingSet create(GuestRam ram, int pages, int capacity) {
    long table = ram.allocatePages(ENTRIES + (long) ENTRY * capacity);
    ram.putInt(table + CAPACITY, capacity);
    WorkingSet set = new WorkingSet(ram, table);
    set.extend(ram.allocatePages((long) pages * GuestRam.PAGE), pages);
    return set;
  }

  static WorkingSet attach(GuestRam ram, long table) {
    WorkingSet set = new WorkingSet(ram, table);
    int pages = ram.getInt(table);
    if (pages < 1 || pages > ram.getInt(table + CAPACITY)) {
      throw ram.failure("no working set at 0x" + Long.toHexString(table));
    }
    return set;
  }

  long table() {
    return table;
  }

  long generation() {
    return ram.getLong(table + GENERATION);
  }

  /** Adds pages to the set. Nothing else may use them. */
  void extend(long gpa, int pages) {
    int before = ram.getInt(table);
    int capacity = ram.getInt(table + CAPACITY);
    if (pages < 1 || pages > capacity - before || gpa % GuestRam.PAGE != 0) {
      throw ram.failure(
          pages
              + " more pages at 0x"
              + Long.toHexString(gpa)
              + " in a set of "
              + before
              + ", at most "
              + capacity);
    }
    for (int i = 0; i < pages; i++) {
      long page = gpa + (long) i * GuestRam.PAGE;
      ram.write(page, content(page, 1));
      ram.putLong(entry(before + i), page);
      ram.putLong(entry(before + i) + 8, 1);
    }
    ram.putLong(table + SUM, ram.getLong(table + SUM) + pages);
    ram.putInt(table, before + pages);
  }

  /** Changes this many pages, spread over the whole set. */
  void change(int pages) {
    int all = ram.getInt(table);
    long generation = generation() + 1;
    long sum = ram.getLong(table + SUM);
    for (int i = 0; i < pages; i++) {
      // A multiplicative hash of a running number selects all pages, in no regular order.
      long draw = (generation * pages + i) * 0x9e3779b97f4a7c15L;
      long entry = entry((int) ((draw >>> 33) % all));
      long page = ram.getLong(entry);
      long counter = ram.getLong(entry + 8) + 1;
      ram.write(page, content(page, counter));
      ram.putLong(entry + 8, counter);
      sum++;
    }
    ram.putLong(table + SUM, sum);
    ram.putLong(table + GENERATION, generation);
  }

  /**
   * Checks all pages and the table.
   *
   * @param expectedGeneration the generation in the boot block
   */
  WorkingSetCheck verify(long expectedGeneration) {
    List<String> problems = new ArrayList<>();
    int pages = ram.getInt(table);
    long generation = generation();
    if (generation != expectedGeneration) {
      problems.add("the table is of generation " + generation + ", not " + expectedGeneration);
    }
    CRC32C all = new CRC32C();
    long sum = 0;
    for (int i = 0; i < pages; i++) {
      long page = ram.getLong(entry(i));
      long expected = ram.getLong(entry(i) + 8);
      byte[] bytes = ram.read(page, GuestRam.PAGE);
      long counter = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(8);
      String name = "page " + i + " at 0x" + Long.toHexString(page);
      if (!Arrays.equals(bytes, content(page, counter))) {
        problems.add(name + " contradicts itself: torn, or never copied");
      } else if (counter != expected) {
        problems.add(name + " is old: changed " + counter + " times, not " + expected);
      }
      sum += expected;
      all.update(bytes);
    }
    if (sum != ram.getLong(table + SUM)) {
      problems.add(
          "the table contradicts itself: " + sum + " changes, not " + ram.getLong(table + SUM));
    }
    return new WorkingSetCheck(pages, generation, all.getValue() << 32 ^ sum, problems);
  }

  private long entry(int i) {
    return table + ENTRIES + (long) ENTRY * i;
  }

  private static byte[] content(long gpa, long counter) {
    byte[] bytes = new byte[GuestRam.PAGE];
    ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(gpa).putLong(counter);
    long value = gpa ^ counter * 0x9e3779b97f4a7c15L;
    while (out.position() < CHECKSUM) {
      value += 0x632be59bd9b4e019L;
      out.putLong(value);
    }
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, CHECKSUM);
    out.putLong(crc.getValue());
    return bytes;
  }
}
