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
 * A running {@code dpdk-testpmd}: one vhost-user port, which listens on its own socket, per device.
 * It forwards as soon as {@link Builder#start} has returned; front ends may connect then.
 *
 * <p>The process runs until this object is closed. If the JVM ends, the process's standard input
 * ends and it quits. Thread-safe: it runs one command at a time.
 */
public final class Testpmd implements AutoCloseable {
  private static final String PROGRAM = "dpdk-testpmd";
  private static final String PROMPT = "testpmd> ";

  /** Gets a tenth of what a busy process of usual priority gets. */
  private static final String NICENESS = "10";

  private static final Duration QUIT_WITHIN = Duration.ofSeconds(10);

  /** DPDK's directory for this instance, which depends on the user; DPDK prints it. */
  private static final Pattern RUNTIME_DIRECTORY =
      Pattern.compile("Multi-process socket (\\S+)/mp_socket");

  private final String prefix;
  private final List<Path> sockets;
  private final ChildProcess process;
  private volatile Optional<Path> runtimeDirectory = Optional.empty();

  private Testpmd(String prefix, List<Path> sockets, ChildProcess process) {
    this.prefix = prefix;
    this.sockets = sockets;
    this.process = process;
  }

  /**
   * Checks whether testpmd can run on this machine.
   *
   * @return empty if it can; else the reason, as a sentence for the message of a skipped test
   */
  public static Optional<String> available() {
    return ChildProcess.find(PROGRAM).isEmpty()
        ? Optional.of(PROGRAM + " is not installed (Debian: dpdk-dev, librte-net-vhost23)")
        : runnable();
  }

  /**
   * Checks whether another build of testpmd can run on this machine.
   *
   * @param program the file, see {@link Builder#program}
   * @return empty if it can; else the reason, as a sentence
   */
  public static Optional<String> available(Path program) {
    return Files.isRegularFile(program) && Files.isExecutable(program)
        ? runnable()
        : Optional.of(program + " is no program that can be run: name the file dpdk-testpmd");
  }

  private static Optional<String> runnable() {
    // Without stdbuf, testpmd buffers its answers because its output is a pipe.
    if (ChildProcess.find("stdbuf").isEmpty()) {
      return Optional.of("stdbuf is not installed (Debian: coreutils)");
    }
    if (Runtime.getRuntime().availableProcessors() < 2) {
      return Optional.of(PROGRAM + " needs two processor cores");
    }
    return Optional.empty();
  }

  /** {@return a new description of what to run: one queue pair, locked memory, no port yet} */
  public static Builder builder() {
    return new Builder();
  }

  /** Describes the process to run. Not thread-safe. */
  public static final class Builder {
    private final List<Path> sockets = new ArrayList<>();
    private Optional<Path> program = Optional.empty();
    private int queuePairs = 1;
    private int buffers = 4096;
    private int megabytes = 512;
    private boolean mlockall = true;
    private boolean nice;
    private String forwarding = "icmpecho";
    private boolean iommu;

    private Builder() {}

    /**
     * Adds a port that listens at {@code socket}; ports are numbered from 0 in the order of these
     * calls.
     *
     * @param socket a path of at most 107 bytes without a comma; the file must not exist, its
     *     directory must
     * @return this
     */
    public Builder port(Path socket) {
      String path = socket.toAbsolutePath().toString();
      if (path.indexOf(',') >= 0 || path.getBytes(StandardCharsets.UTF_8).length > 107) {
        throw new IllegalArgumentException(
            "a socket's path has at most 107 bytes and no comma: " + path);
      }
      sockets.add(socket.toAbsolutePath());
      return this;
    }

    /**
     * Runs another build, for instance of a newer DPDK or of a fork; by default {@code
     * dpdk-testpmd} from PATH. The build must take the same options and commands, and contain or
     * find the driver {@code net_vhost}.
     *
     * @param file an executable file
     * @return this
     */
    public Builder program(Path file) {
      program = Optional.of(file.toAbsolutePath());
      return this;
    }

    /**
     * Sets the number of queue pairs of every port; testpmd polls all of them. The default is one.
     *
     * @param pairs 1 to 128
     * @return this
     */
    public Builder queuePairs(int pairs) {
      if (pairs < 1 || pairs > 128) {
        throw new IllegalArgumentException("queue pairs are 1 to 128, not " + pairs);
      }
      queuePairs = pairs;
      return this;
    }

    /**
     * Sets the number of packet buffers that all ports share; the default is 4096.
     *
     * @param count buffers of 2 KiB, at least 1024
     * @return this
     */
    public Builder buffers(int count) {
      if (count < 1024) {
        throw new IllegalArgumentException("fewer than 1024 buffers do not do: " + count);
      }
      buffers = count;
      megabytes = Math.max(512, count / 256);
      return this;
    }

    /**
     * Does not lock testpmd's memory. A memory table then costs almost no time. With locked memory,
     * which is the default and what real switches use, testpmd faults in the whole guest: 40 ms and
     * more per GiB and device.
     *
     * @return this
     */
    public Builder noMlockall() {
      mlockall = false;
      return this;
    }

    /**
     * Runs it at a low priority. It polls all the time: where cores are few, this leaves them to
     * those who have something to do.
     *
     * @return this
     */
    public Builder nice() {
      nice = true;
      return this;
    }

    /**
     * Makes it send packets of its own to every port all the time, as fast as it can, and take
     * none. By default it answers pings.
     *
     * @return this
     */
    public Builder transmits() {
      forwarding = "txonly";
      return this;
    }

    /**
     * Makes every port offer ACCESS_PLATFORM ({@code iommu-support=1}): it serves devices behind an
     * IOMMU, and others as before.
     *
     * @return this
     */
    public Builder iommu() {
      iommu = true;
      return this;
    }

    /**
     * Starts the process, waits for its prompt and starts forwarding.
     *
     * @param deadline for all of it; usually it takes less than a second; 30 seconds are a good
     *     value for a busy machine
     * @return the running process; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time; the process and its
     *     files are then removed
     */
    public Testpmd start(Deadline deadline) {
      if (sockets.isEmpty()) {
        throw new IllegalStateException("at least one port is needed");
      }
      Optional<String> reason = program.map(Testpmd::available).orElseGet(Testpmd::available);
      if (reason.isPresent()) {
        throw new VhostException("starting " + PROGRAM + ": " + reason.get(), Recovery.GIVE_UP);
      }
      for (Path socket : sockets) {
        if (Files.exists(socket)) {
          throw new VhostException(
              "starting " + PROGRAM + ": " + socket + " exists already", Recovery.GIVE_UP);
        }
      }
      String prefix = "jvhost-" + UUID.randomUUID();
      ChildProcess process = ChildProcess.prompting(PROGRAM, command(prefix));
      var testpmd = new Testpmd(prefix, List.copyOf(sockets), process);
      try {
        testpmd.awaitReady(deadline);
      } catch (RuntimeException e) {
        testpmd.close();
        throw e;
      }
      return testpmd;
    }

    private List<String> command(String prefix) {
      String file = program.map(Path::toString).orElse(PROGRAM);
      var command = new ArrayList<String>();
      if (nice) {
        command.addAll(List.of("nice", "-n", NICENESS));
      }
      command.addAll(List.of("stdbuf", "-oL", file));
      command.addAll(List.of("--no-huge", "-m", Integer.toString(megabytes), "--no-pci"));
      command.addAll(List.of("--file-prefix=" + prefix, "-l", "0,1"));
      for (int port = 0; port < sockets.size(); port++) {
        command.add("--vdev");
        command.add(
            "net_vhost%d,iface=%s,queues=%d%s"
                .formatted(port, sockets.get(port), queuePairs, iommu ? ",iommu-support=1" : ""));
      }
      // An event of a port is printed on standard output, where it would cut into the prompt.
      command.addAll(List.of("--", "-i", "--mask-event=all", "--forward-mode=" + forwarding));
      command.add("--total-num-mbufs=" + buffers);
      command.addAll(List.of("--rxq=" + queuePairs, "--txq=" + queuePairs));
      if (!mlockall) {
        command.add("--no-mlockall");
      }
      return command;
    }
  }

  private void awaitReady(Deadline deadline) {
    String banner = process.transcript().awaitText(PROMPT, 0, deadline, "starting " + PROGRAM);
    runtimeDirectory = runtimeDirectory();
    for (Path socket : sockets) {
      if (!Files.exists(socket)) {
        throw new VhostException(
            "starting " + PROGRAM + ": no socket at " + socket + "; it printed: " + oneLine(banner),
            Recovery.GIVE_UP);
      }
    }
    String answer = command("start", deadline);
    if (!answer.contains("packet forwarding - ports=" + sockets.size())) {
      throw new VhostException(
          "starting " + PROGRAM + "'s forwarding: it printed: " + oneLine(answer),
          Recovery.GIVE_UP);
    }
  }

  /**
   * {@return the path of a port's socket, absolute}
   *
   * @param port its number, from 0
   */
  public Path socket(int port) {
    return sockets.get(port);
  }

  /** {@return how many ports there are} */
  public int ports() {
    return sockets.size();
  }

  /** {@return the process's id, for example to inspect its memory or to kill it under traffic} */
  public long processId() {
    return process.pid();
  }

  /** {@return whether the process is running} */
  public boolean isAlive() {
    return process.isAlive();
  }

  /** Ends the process at once, as a crash would. {@link #close()} is still needed. */
  public void crash() {
    process.kill();
  }

  /**
   * {@return what every port has counted since the start, in the order of the ports}
   *
   * @param deadline for both commands that this takes
   * @throws VhostException when the process does not answer in time
   */
  public List<PortStatistics> statistics(Deadline deadline) {
    var statistics =
        PortStatistics.parse(
            command("show port stats all", deadline), command("show fwd stats all", deadline));
    if (statistics.size() != sockets.size()) {
      throw new VhostException(
          "reading testpmd's statistics: %d of %d ports answered"
              .formatted(statistics.size(), sockets.size()),
          Recovery.GIVE_UP);
    }
    return statistics;
  }

  /**
   * {@return the end of everything that it has logged so far, and then of its answers, at most half
   * a million characters of each} A failure's message carries the last few lines of both.
   */
  public String output() {
    return process.errors().text() + process.transcript().text();
  }

  /**
   * Sends one line to the prompt.
   *
   * @return what it printed up to its next prompt
   */
  private synchronized String command(String line, Deadline deadline) {
    long from = process.transcript().position();
    process.type(line);
    return process
        .transcript()
        .awaitText(PROMPT, from, deadline, "telling " + PROGRAM + " \"" + line + "\"");
  }

  /**
   * Makes the process quit, and kills it if it does not within ten seconds. Then removes its
   * sockets and DPDK's files. Idempotent.
   */
  @Override
  public synchronized void close() {
    // testpmd quits at the end of its input.
    process.endInput();
    process.awaitExit(Deadline.after(QUIT_WITHIN));
    process.close();
    for (Path socket : sockets) {
      delete(socket);
    }
    runtimeDirectory
        .or(this::runtimeDirectory) // its prompt never came
        .filter(Files::isDirectory)
        .ifPresent(Testpmd::deleteDirectory);
  }

  private Optional<Path> runtimeDirectory() {
    Matcher line = RUNTIME_DIRECTORY.matcher(process.errors().text());
    return line.find()
        ? Optional.of(Path.of(line.group(1))).filter(d -> d.endsWith(prefix))
        : Optional.empty();
  }

  /** Deletes about 7 MB of files that DPDK always leaves behind. */
  private static void deleteDirectory(Path directory) {
    try (var files = Files.list(directory)) {
      files.forEach(Testpmd::delete);
    } catch (IOException e) {
      // Files that stay in a run-time directory are no reason to fail a test.
    }
    delete(directory);
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // See above.
    }
  }

  private static String oneLine(String text) {
    return text.strip().replaceAll("\\s*\\n\\s*", " | ");
  }
}
