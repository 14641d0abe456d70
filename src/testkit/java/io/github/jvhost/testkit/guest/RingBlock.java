package io.github.jvhost.testkit.guest;

/**
 * The driver's own data about a split or packed ring, in guest memory.
 *
 * <pre>
 *   0    2      4      6      8     16     24     32    34     40
 *   +----+------+------+------+-----+------+------+-----+------+------------------ - -
 *   |size| free | free | last | desc|driver|device|kind | next | for each descriptor
 *   |    | head | count| used | gpa | area | area |     | slot |
 *   +----+------+------+------+-----+------+------+-----+------+------------------ - -
 * </pre>
 */
record RingBlock(GuestRam ram, long gpa) {
  static final int SPLIT = 1;
  static final int PACKED = 2;
  static final long KIND = 32;
  static final long ENTRIES = 40;

  /** Set in the length of a chain that the device has used and the driver has not released yet. */
  static final int TAKEN = 0x8000;

  private static final int MAX_SIZE = 1 << 15;

  /** Creates the block of a new ring. */
  static RingBlock create(GuestRam ram, int kind, int size, int usable, int bytesPerEntry) {
    if (size < 1 || size > MAX_SIZE || usable < 1 || usable > size) {
      throw new IllegalArgumentException("a ring of " + size + ", " + usable + " usable");
    }
    RingBlock block = new RingBlock(ram, ram.allocate(ENTRIES + (long) bytesPerEntry * size, 64));
    ram.putShort(block.gpa, size);
    ram.putShort(block.gpa + KIND, kind);
    block.freeCount(usable);
    return block;
  }

  /** Writes the addresses of the ring's three parts. */
  void places(long desc, long driverArea, long deviceArea) {
    ram.putLong(gpa + 8, desc);
    ram.putLong(gpa + 16, driverArea);
    ram.putLong(gpa + 24, deviceArea);
  }

  int size() {
    return ram.getShort(gpa);
  }

  int freeHead() {
    return ram.getShort(gpa + 2);
  }

  void freeHead(int value) {
    ram.putShort(gpa + 2, value);
  }

  int freeCount() {
    return ram.getShort(gpa + 4);
  }

  void freeCount(int value) {
    ram.putShort(gpa + 4, value);
  }

  /**
   * For a split ring a free running index; for a packed ring the slot, with the wrap counter in bit
   * 15.
   */
  int lastUsed() {
    return ram.getShort(gpa + 6);
  }

  void lastUsed(int value) {
    ram.putShort(gpa + 6, value);
  }

  long desc() {
    return ram.getLong(gpa + 8);
  }

  long driverArea() {
    return ram.getLong(gpa + 16);
  }

  long deviceArea() {
    return ram.getLong(gpa + 24);
  }

  /** For packed rings only: the slot of the next chain, with the wrap counter in bit 15. */
  int nextSlot() {
    return ram.getShort(gpa + 34);
  }

  void nextSlot(int value) {
    ram.putShort(gpa + 34, value);
  }
}
