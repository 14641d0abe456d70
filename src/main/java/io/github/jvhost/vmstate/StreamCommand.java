package io.github.jvhost.vmstate;

import java.util.Optional;

/** The known commands in a migration stream. */
enum StreamCommand {
  /** The source asks for answers on a return path. */
  OPEN_RETURN_PATH(1, 0, 0),
  /** Asks for an answer with the same number: u32. */
  PING(2, 4, 4),
  /** Postcopy may follow: nothing, or the sizes of pages as u64 flags, twice. */
  POSTCOPY_ADVISE(3, 0, 16),
  /** The destination may ask for missing pages from now on. */
  POSTCOPY_LISTEN(4, 0, 0),
  /** The destination must start its guest. */
  POSTCOPY_RUN(5, 0, 0),
  /** Pages that were sent and are out of date. */
  POSTCOPY_RAM_DISCARD(6, 0, 0xFFFF),
  /** A package of records follows, which are read as a whole. The data is their length. */
  PACKAGED(7, 4, 4),
  /** The destination must run as a shadow of the source (COLO). */
  ENABLE_COLO(8, 0, 0),
  /** Postcopy continues after its link was lost. */
  POSTCOPY_RESUME(9, 0, 0),
  /** The source asks which pages of a block arrived. The data is the name of the block. */
  RECV_BITMAP(10, 1, 256),
  /** The source has stopped its guest. */
  SWITCHOVER_START(11, 0, 0);

  private final int code;
  private final int leastData;
  private final int mostData;

  StreamCommand(int code, int leastData, int mostData) {
    this.code = code;
    this.leastData = leastData;
    this.mostData = mostData;
  }

  /** {@return the command's number in the stream, 16 bits} */
  int code() {
    return code;
  }

  /** Whether this number of bytes of data is valid. */
  boolean takes(int data) {
    return data >= leastData && data <= mostData;
  }

  /** The valid number of bytes of data, for messages. */
  String expectedData() {
    return leastData == mostData
        ? leastData + " bytes of data"
        : leastData + " to " + mostData + " bytes of data";
  }

  /**
   * {@return the command with this number; empty if it is unknown}
   *
   * @param code the number in the stream
   */
  static Optional<StreamCommand> of(int code) {
    for (StreamCommand command : values()) {
      if (command.code == code) {
        return Optional.of(command);
      }
    }
    return Optional.empty();
  }
}
