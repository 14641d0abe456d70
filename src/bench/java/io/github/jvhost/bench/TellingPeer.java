package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.nio.file.Path;
import java.util.List;

/**
 * The front end against which ours is measured: peer.c in its own process. It sends exactly the
 * recorded bytes, in the same writes, with as many descriptors. Used by one thread at a time.
 */
final class TellingPeer implements AutoCloseable {
  private final PeerLines lines;

  private TellingPeer(PeerLines lines) {
    this.lines = lines;
  }

  /**
   * Starts it, and returns once it has read what to say.
   *
   * @param recording written into a file beside the program
   * @param backEnd whom it is said to
   */
  static TellingPeer start(PeerProgram program, Recording recording, AnsweringPeer backEnd) {
    Path file = program.newDirectory().resolve("recording");
    recording.writeTo(file);
    List<String> arguments =
        List.of(
            "tell",
            file.toString(),
            backEnd.directory().toString(),
            String.valueOf(recording.devices().size()));
    var lines = new PeerLines(program.startFrontEnd(arguments));
    try {
      String first = lines.next("the C front end is ready");
      if (!first.equals("ready")) {
        throw new VhostException("the C front end says: " + first, Recovery.GIVE_UP);
      }
      return new TellingPeer(lines);
    } catch (RuntimeException e) {
      lines.close();
      throw e;
    }
  }

  /** Connects anew, sets up, and answers how many nanoseconds the window took. */
  long round() {
    lines.type("run 1");
    String line = lines.next("a window of the C front end");
    try {
      return Long.parseLong(line);
    } catch (NumberFormatException e) {
      throw new VhostException("the C front end says: " + line, Recovery.GIVE_UP, e);
    }
  }

  /** Ends the process. */
  @Override
  public void close() {
    lines.close();
  }
}
