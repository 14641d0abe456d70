package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * The back ends of a benchmark: peer.c in a process of its own, one socket a device, all served by
 * one thread there. It answers at once, or, with a delay, tells of DRIVER_OK only when that has
 * passed, which is a modelled cost of hardware. One thread at a time.
 */
final class AnsweringPeer implements AutoCloseable {
  private final Path directory;
  private final PeerLines lines;

  /**
   * What came on one connection, from its beginning to its end: two front ends that said the same
   * have the same.
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
      if (words.length != 6 || !words[0].equals(PREFIX)) {
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

  /** Where its sockets are, each named by its device's number. */
  Path directory() {
    return directory;
  }

  /** The sockets of the first devices. */
  List<Path> sockets(int devices) {
    return IntStream.range(0, devices).mapToObj(i -> directory.resolve("" + i)).toList();
  }

  /**
   * Waits until so many connections are over and everything that came with them is closed.
   *
   * @return what was said on them, by device
   */
  List<Conversation> awaitClosed(int connections) {
    return IntStream.range(0, connections)
        .mapToObj(_ -> Conversation.parse(lines.next("a connection's end at the C back end")))
        .sorted(Comparator.comparingInt(Conversation::device))
        .toList();
  }

  /** Ends the process. */
  @Override
  public void close() {
    lines.close();
  }
}
