package io.github.jvhost.testkit.dpdk;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A real front end that is not ours: {@code dpdk-testpmd} with a virtio-user port per back end,
 * which it connects to. Its memory is its own; the rings lie in it.
 *
 * <pre>
 *   dpdk-testpmd (its own process)                      a back end
 *   +-----------------------------------------+         +---------------+
 *   | driver of virtio-net -- virtio-user     |== AF_ ==| listens       |
 *   |  bursts of frames       port 0, 1, ...  |  UNIX   | at its socket |
 *   +-----------------------------------------+         +---------------+
 * </pre>
 *
 * <p>When {@link Builder#start} has returned, the rings run, but no frame is sent yet. Should the
 * JVM die, its standard input ends and it quits by itself. Thread-safe: commands take turns.
 */
public final class VirtioUser implements AutoCloseable {
  private static final String PROGRAM = "dpdk-testpmd";
  private static final String PROMPT = "testpmd> ";
  private static final Duration QUIT = Duration.ofSeconds(10);

  /** Where DPDK keeps this instance's files: it says so itself. */
  private static final Pattern RUNTIME_DIRECTORY =
      Pattern.compile("Multi-process socket (\\S+)/mp_socket");

  private final String prefix;
  private final int ports;
  private final ChildProcess process;

  private VirtioUser(String prefix, int ports, ChildProcess process) {
    this.prefix = prefix;
    this.ports = ports;
    this.process = process;
  }

  /** {@return a new description of what to run: one queue pair, split rings, no port yet} */
  public static Builder builder() {
    return new Builder();
  }

  /** What to run. Not thread-safe. */
  public static final class Builder {
    private final List<Path> backEnds = new ArrayList<>();
    private int queuePairs = 1;
    private boolean packed;

    private Builder() {}

    /**
     * Adds a port that connects to the back end at {@code socket}; ports are numbered from 0 in the
     * order of these calls.
     *
     * @param socket where a back end listens; at most 107 bytes and no comma
     * @return this
     */
    public Builder port(Path socket) {
      String path = socket.toAbsolutePath().toString();
      if (path.indexOf(',') >= 0 || path.getBytes(StandardCharsets.UTF_8).length > 107) {
        throw new IllegalArgumentException(
            "a socket's path has at most 107 bytes and no comma: " + path);
      }
      backEnds.add(socket.toAbsolutePath());
      return this;
    }

    /**
     * Sets the number of queue pairs of every port; all of them send. One where this is not called.
     *
     * @param pairs 1 to 8
     * @return this
     */
    public Builder queuePairs(int pairs) {
      if (pairs < 1 || pairs > 8) {
        throw new IllegalArgumentException("queue pairs are 1 to 8, not " + pairs);
      }
      queuePairs = pairs;
      return this;
    }

    /**
     * Asks every back end for packed rings.
     *
     * @return this
     */
    public Builder packed() {
      packed = true;
      return this;
    }

    /**
     * Starts the process, which connects, negotiates and starts the rings of one port after the
     * other.
     *
     * @param deadline for all of it; 30 seconds are sensible on a busy machine
     * @return the running process; the caller closes it
     * @throws VhostException when it cannot be started, no back end is there, or it is not ready in
     *     time; then nothing is left behind
     */
    public VirtioUser start(Deadline deadline) {
      if (backEnds.isEmpty()) {
        throw new IllegalStateException("at least one port is needed");
      }
      Optional<String> reason = Testpmd.available();
      if (reason.isPresent()) {
        throw new VhostException("starting " + PROGRAM + ": " + reason.get(), Recovery.GIVE_UP);
      }
      String prefix = "jvhost-" + UUID.randomUUID();
      var started =
          new VirtioUser(
              prefix, backEnds.size(), ChildProcess.interactive(PROGRAM, command(prefix)));
      try {
        started
            .process
            .transcript()
            .awaitText(PROMPT, 0, deadline, "starting " + PROGRAM + " as a front end");
      } catch (RuntimeException e) {
        started.close();
        throw e;
      }
      return started;
    }

    private List<String> command(String prefix) {
      // stdbuf, because testpmd would keep its answers in a buffer while its output is a pipe.
      var command = new ArrayList<>(List.of("stdbuf", "-oL", PROGRAM));
      // Without huge pages its memory is one file of 512 MB, which it can share all the same.
      command.addAll(List.of("--no-huge", "-m", "512", "--no-pci"));
      command.addAll(List.of("--file-prefix=" + prefix, "-l", "0,1"));
      for (int port = 0; port < backEnds.size(); port++) {
        command.add("--vdev");
        command.add(
            "net_virtio_user%d,path=%s,queues=%d%s"
                .formatted(port, backEnds.get(port), queuePairs, packed ? ",packed_vq=1" : ""));
      }
      command.addAll(List.of("--", "-i", "--no-mlockall", "--total-num-mbufs=4096"));
      command.addAll(List.of("--rxq=" + queuePairs, "--txq=" + queuePairs));
      return command;
    }
  }

  /** {@return the process's id} */
  public long processId() {
    return process.pid();
  }

  /**
   * Sends one burst of 32 frames from every queue, and then sends on whatever is received.
   *
   * @param deadline for the beginning; sending goes on after it
   * @throws VhostException when it does not begin in time
   */
  public void forward(Deadline deadline) {
    String answer = command("start tx_first", deadline);
    if (!answer.contains("packet forwarding - ports=" + ports)) {
      throw new VhostException(
          "starting " + PROGRAM + "'s forwarding: it printed: " + answer.strip(), Recovery.GIVE_UP);
    }
  }

  /**
   * Sends nothing any more; the rings go on running.
   *
   * @param deadline for its answer
   * @throws VhostException when it does not answer in time
   */
  public void stopForwarding(Deadline deadline) {
    command("stop", deadline);
  }

  /**
   * {@return what every port has counted since the start, in the order of the ports} Directions are
   * the front end's: what the back end put into receive rings is received.
   *
   * @param deadline for both commands that this takes
   * @throws VhostException when it does not answer in time
   */
  public List<PortStatistics> statistics(Deadline deadline) {
    var statistics =
        PortStatistics.parse(
            command("show port stats all", deadline), command("show fwd stats all", deadline));
    if (statistics.size() != ports) {
      throw new VhostException(
          "reading testpmd's statistics: %d of %d ports answered"
              .formatted(statistics.size(), ports),
          Recovery.GIVE_UP);
    }
    return statistics;
  }

  /**
   * Stops the ports and ends the process in good order: every ring is disabled, stopped and asked
   * for its base.
   *
   * @param deadline for all of it, to the end of the process
   * @throws VhostException when it is still there at the deadline
   */
  public synchronized void quit(Deadline deadline) {
    process.type("quit");
    if (!process.awaitExit(deadline)) {
      throw new VhostException(
          PROGRAM + " does not quit; " + process.transcript().lastLines(), Recovery.GIVE_UP);
    }
  }

  /**
   * {@return the end of everything that it has printed so far, at most half a million characters}
   */
  public String output() {
    return process.transcript().text();
  }

  private synchronized String command(String line, Deadline deadline) {
    long from = process.transcript().position();
    process.type(line);
    return process
        .transcript()
        .awaitText(PROMPT, from, deadline, "telling " + PROGRAM + " \"" + line + "\"");
  }

  /**
   * Lets it quit, and ends it where it does not within ten seconds; then removes DPDK's files.
   * Idempotent.
   */
  @Override
  public synchronized void close() {
    process.endInput(); // It takes the end of its input for "quit".
    var _ = process.awaitExit(Deadline.after(QUIT));
    process.close();
    Matcher line = RUNTIME_DIRECTORY.matcher(process.transcript().text());
    if (line.find() && Path.of(line.group(1)).endsWith(prefix)) {
      deleteDirectory(Path.of(line.group(1)));
    }
  }

  private static void deleteDirectory(Path directory) {
    try (var files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Files.deleteIfExists(file);
      }
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      // Litter in a run-time directory: no reason to fail what was tested.
    }
  }
}
