package io.github.jvhost.vmstate;

import java.util.Optional;

/** The known commands in a migration stream. */
enum StreamCommand {
  /** The source wants to be answered. */
  OPEN_RETURN_PATH(1, 0, 0),
  /** Asks for an answer with the same number: u32. */
  PING(2, 4, 4),
  /** Postcopy may follow: nothing, or the sizes of pages as u64 flags, twice. */
  POSTCOPY_ADVISE(3, 0, 16),
  /** Pages that are missing can be asked for from now on. */
  POSTCOPY_LISTEN(4, 0, 0),
  /** The destination's guest is to run. */
  POSTCOPY_RUN(5, 0, 0),
  /** Pages that were sent, but are stale. */
  POSTCOPY_RAM_DISCARD(6, 0, 0xFFFF),
  /** Records follow that are to be read as a whole; their length is the data. */
  PACKAGED(7, 4, 4),
  /** The destination is to shadow the source. */
  ENABLE_COLO(8, 0, 0),
  /** Postcopy goes on after its link was lost. */
  POSTCOPY_RESUME(9, 0, 0),
  /** The source wants to know what of a block of memory came: its name. */
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

  /** Whether so many bytes of data can be right. */
  boolean takes(int data) {
    return data >= leastData && data <= mostData;
  }

  /** What this command's data should be, for errors. */
  String expectedData() {
    return leastData == mostData
        ? leastData + " bytes of data"
        : leastData + " to " + mostData + " bytes of data";
  }

  /**
   * {@return the command with this number; empty when it is not known}
   *
   * @param code as it stands in the stream
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
