package io.github.jvhost.vmstate;

/** Takes guest memory as a migration stream is read. Called by the reader's thread. */
public interface RamSink {
  /** Memory is not wanted: its records are checked and skipped without copying. */
  RamSink SKIP =
      new RamSink() {
        @Override
        public void begin(SectionHeader header) {}

        @Override
        public void accept(RamRecord record) {}

        @Override
        public boolean wantsPages() {
          return false;
        }
      };

  /**
   * A part begins; its records follow, up to {@link RamRecord.End}.
   *
   * @param header of the part
   */
  void begin(SectionHeader header);

  /**
   * The next record.
   *
   * @param record buffers in it are only valid until this returns
   */
  void accept(RamRecord record);

  /**
   * {@return whether pages are wanted; else only lists of blocks and ends of parts need to come}
   */
  default boolean wantsPages() {
    return true;
  }
}
