package io.github.jvhost.vmstate;

/** Receives guest memory while a migration stream is read. Called on the reader's thread. */
public interface RamSink {
  /** Ignores memory: the reader checks its records and skips them without copying. */
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
   * A part begins. Its records follow, up to {@link RamRecord.End}.
   *
   * @param header of the part
   */
  void begin(SectionHeader header);

  /**
   * The next record.
   *
   * @param record its buffers are valid only until this method returns
   */
  void accept(RamRecord record);

  /**
   * {@return whether the sink needs pages; otherwise only lists of blocks and ends of parts are
   * required}
   */
  default boolean wantsPages() {
    return true;
  }
}
