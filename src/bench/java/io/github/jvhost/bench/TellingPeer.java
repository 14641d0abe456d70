package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
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
   * @param sockets of the back ends, one a recorded device
   */
  static TellingPeer start(PeerProgram program, Recording recording, List<Path> sockets) {
    return start(program, recording, "-", sockets);
  }

  /**
   * The same for back ends that map guest memory.
   *
   * @param memory its one region's file, which this process keeps open
   */
  static TellingPeer start(
      PeerProgram program, Recording recording, OwnedDescriptor memory, List<Path> sockets) {
    String path = "/proc/%d/fd/%d".formatted(ProcessHandle.current().pid(), memory.number());
    return start(program, recording, path, sockets);
  }

  private static TellingPeer start(
      PeerProgram program, Recording recording, String memory, List<Path> sockets) {
    Path file = program.newDirectory().resolve("recording");
    recording.writeTo(file);
    List<String> arguments = new ArrayList<>(List.of("tell", file.toString(), memory));
    sockets.forEach(socket -> arguments.add(socket.toString()));
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

  /**
   * A round.
   *
   * @param phases nanoseconds of each
   * @param preemptions of the process in them, and in the half millisecond before each
   */
  record Round(List<Long> phases, long preemptions) {}

  /** Connects anew, sets up, and goes through all phases without a pause. */
  Round round() {
    return round(Duration.ZERO);
  }

  /**
   * The same with a pause.
   *
   * @param pause for which it sleeps before each phase but the first; whole milliseconds
   */
  Round round(Duration pause) {
    lines.type("run 1 pause " + pause.toMillis());
    String line = lines.next("a round of the C front end");
    try {
      List<Long> all = Arrays.stream(line.split(" ", -1)).map(Long::valueOf).toList();
      return new Round(all.subList(0, all.size() - 1), all.getLast());
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
