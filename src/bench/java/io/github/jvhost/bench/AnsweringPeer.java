package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * The back ends of a benchmark: peer.c in its own process, with one socket per device, all served
 * by one thread there. It answers at once. With a delay, it answers for DRIVER_OK only when the
 * delay has passed; that is a modelled cost of hardware. Used by one thread at a time.
 */
final class AnsweringPeer implements AutoCloseable {
  private final Path directory;
  private final PeerLines lines;
  private long preemptions;

  /**
   * Everything that was received on one connection. It is equal for two front ends that sent the
   * same.
   *
   * @param device its number
   * @param bytes of all messages
   * @param messages whole ones
   * @param descriptors that came with them
   * @param sum over all words, as text
   */
  record Conversation(int device, long bytes, long messages, long descriptors, String sum) {
    private static final String PREFIX = "closed";

    static Conversation parse(String line) {
      String[] words = line.split(" ", -1);
      if (words.length != 7 || !words[0].equals(PREFIX)) {
        throw new VhostException("the C back end says: " + line, Recovery.GIVE_UP);
      }
      return new Conversation(
          Integer.parseInt(words[1]),
          Long.parseLong(words[2]),
          Long.parseLong(words[3]),
          Long.parseLong(words[4]),
          words[5]);
    }
  }

  private AnsweringPeer(Path directory, PeerLines lines) {
    this.directory = directory;
    this.lines = lines;
  }

  /**
   * Starts it, and returns once it listens.
   *
   * @param devices how many sockets
   * @param delay modelled time that the hardware of each device needs; zero: none
   */
  static AnsweringPeer start(PeerProgram program, int devices, Duration delay) {
    Path directory = program.newDirectory();
    List<String> arguments =
        List.of(
            "serve",
            directory.toString(),
            String.valueOf(devices),
            String.valueOf(TimeUnit.NANOSECONDS.toMicros(delay.toNanos())));
    var lines = new PeerLines(program.startBackEnd(arguments));
    try {
      String first = lines.next("the C back end listens");
      if (!first.equals("listening")) {
        throw new VhostException("the C back end says: " + first, Recovery.GIVE_UP);
      }
      return new AnsweringPeer(directory, lines);
    } catch (RuntimeException e) {
      lines.close();
      throw e;
    }
  }

  /** Returns the directory of its sockets. Each is named by its device's number. */
  Path directory() {
    return directory;
  }

  /** The sockets of the first devices. */
  List<Path> sockets(int devices) {
    return IntStream.range(0, devices).mapToObj(i -> directory.resolve("" + i)).toList();
  }

  /**
   * Waits until this many connections have ended and all their descriptors are closed.
   *
   * @return what was received on them, by device
   */
  List<Conversation> awaitClosed(int connections) {
    List<Conversation> all = new ArrayList<>(connections);
    for (int i = 0; i < connections; i++) {
      String line = lines.next("a connection's end at the C back end");
      all.add(Conversation.parse(line));
      preemptions = Long.parseLong(line.substring(line.lastIndexOf(' ') + 1));
    }
    all.sort(Comparator.comparingInt(Conversation::device));
    return List.copyOf(all);
  }

  /** Preemptions of the process so far, as of the last connection's end that was awaited. */
  long preemptions() {
    return preemptions;
  }

  /** Ends the process. */
  @Override
  public void close() {
    lines.close();
  }
}
