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
 * A real front end from another project: {@code dpdk-testpmd} with one virtio-user port per back
 * end, to which it connects. The rings lie in its own memory.
 *
 * <pre>
 *   dpdk-testpmd (its own process)                      a back end
 *   +-----------------------------------------+         +---------------+
 *   | driver of virtio-net -- virtio-user     |== AF_ ==| listens       |
 *   |  bursts of frames       port 0, 1, ...  |  UNIX   | at its socket |
 *   +-----------------------------------------+         +---------------+
 * </pre>
 *
 * <p>When {@link Builder#start} has returned, the rings run, but no frame is sent yet. If the JVM
 * ends, the process's standard input ends and it quits. Thread-safe: it runs one command at a time.
 */
public final class VirtioUser implements AutoCloseable {
  private static final String PROGRAM = "dpdk-testpmd";
  private static final String PROMPT = "testpmd> ";
  private static final Duration QUIT = Duration.ofSeconds(10);

  /** DPDK's directory for this instance; DPDK prints it. */
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

  /** Describes the process to run. Not thread-safe. */
  public static final class Builder {
    private final List<Path> backEnds = new ArrayList<>();
    private int queuePairs = 1;
    private boolean packed;

    private Builder() {}

    /**
     * Adds a port that connects to the back end at {@code socket}; ports are numbered from 0 in the
     * order of these calls.
     *
     * @param socket the path at which a back end listens; at most 107 bytes and no comma
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
     * Sets the number of queue pairs of every port; all of them send. The default is one.
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
     * @throws VhostException when it cannot be started, no back end listens, or it is not ready in
     *     time; the process and its files are then removed
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
          new VirtioUser(prefix, backEnds.size(), ChildProcess.prompting(PROGRAM, command(prefix)));
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
      // Without stdbuf, testpmd buffers its answers because its output is a pipe.
      var command = new ArrayList<>(List.of("stdbuf", "-oL", PROGRAM));
      // Without huge pages its memory is one file of 512 MB, which it can share too.
      command.addAll(List.of("--no-huge", "-m", "512", "--no-pci"));
      command.addAll(List.of("--file-prefix=" + prefix, "-l", "0,1"));
      for (int port = 0; port < backEnds.size(); port++) {
        command.add("--vdev");
        command.add(
            "net_virtio_user%d,path=%s,queues=%d%s"
                .formatted(port, backEnds.get(port), queuePairs, packed ? ",packed_vq=1" : ""));
      }
      // An event of a port is printed on standard output, where it would cut into the prompt.
      command.addAll(List.of("--", "-i", "--mask-event=all"));
      command.addAll(List.of("--no-mlockall", "--total-num-mbufs=4096"));
      command.addAll(List.of("--rxq=" + queuePairs, "--txq=" + queuePairs));
      return command;
    }
  }

  /** {@return the process's id} */
  public long processId() {
    return process.pid();
  }

  /**
   * Sends one burst of 32 frames from every queue, and then forwards every frame that it receives.
   *
   * @param deadline for the start of forwarding, which then goes on
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
   * Stops sending; the rings go on running.
   *
   * @param deadline for its answer
   * @throws VhostException when it does not answer in time
   */
  public void stopForwarding(Deadline deadline) {
    command("stop", deadline);
  }

  /**
   * {@return what every port has counted since the start, in the order of the ports} The directions
   * are the front end's: a packet that the back end put into a receive ring counts as received.
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
   * Stops the ports and ends the process normally: it disables every ring and stops it with
   * GET_VRING_BASE.
   *
   * @param deadline for all of it, to the end of the process
   * @throws VhostException when it is still running at the deadline
   */
  public synchronized void quit(Deadline deadline) {
    process.type("quit");
    if (!process.awaitExit(deadline)) {
      throw new VhostException(
          PROGRAM + " does not quit; " + process.lastLines(), Recovery.GIVE_UP);
    }
  }

  /**
   * {@return the end of everything that it has logged so far, and then of its answers, at most half
   * a million characters of each}
   */
  public String output() {
    return process.errors().text() + process.transcript().text();
  }

  private synchronized String command(String line, Deadline deadline) {
    long from = process.transcript().position();
    process.type(line);
    return process
        .transcript()
        .awaitText(PROMPT, from, deadline, "telling " + PROGRAM + " \"" + line + "\"");
  }

  /**
   * Makes the process quit, and kills it if it does not within ten seconds. Then removes DPDK's
   * files. Idempotent.
   */
  @Override
  public synchronized void close() {
    process.endInput(); // testpmd quits at the end of its input.
    var _ = process.awaitExit(Deadline.after(QUIT));
    process.close();
    Matcher line = RUNTIME_DIRECTORY.matcher(process.errors().text());
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
      // Files that stay in a run-time directory are no reason to fail a test.
    }
  }
}
