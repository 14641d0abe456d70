package io.github.jvhost.vmstate;

/** The lower 12 bits of a memory record. */
final class RamFlag {
  static final int ZERO = 0x002;
  static final int MEM_SIZE = 0x004;
  static final int PAGE = 0x008;
  static final int END = 0x010;

  /** With one of the page flags: the page belongs to the same block as the page before. */
  static final int CONTINUE = 0x020;

  static final int XBZRLE = 0x040;
  static final int HOOK = 0x080;
  static final int COMPRESSED = 0x100;
  static final int FLUSH = 0x200;

  private RamFlag() {}
}
