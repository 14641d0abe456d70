package io.github.jvhost.testkit.qemu;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A running {@code qemu-storage-daemon} that exports one raw disk file as vhost-user-blk. A front
 * end may connect as soon as {@link Builder#start} has returned.
 *
 * <p>It runs until this object is closed, and ends with the JVM. Thread-safe.
 */
public final class StorageDaemon implements AutoCloseable {
  private static final String PROGRAM = "qemu-storage-daemon";

  /**
   * The interval at which start-up looks for the file with the process id, since no event reports
   * it.
   */
  private static final long LOOK_MILLIS = 5;

  private final Path disk;
  private final Path socket;
  private final Path pidFile;
  private final ChildProcess process;

  private StorageDaemon(Path disk, Path socket, Path pidFile, ChildProcess process) {
    this.disk = disk;
    this.socket = socket;
    this.pidFile = pidFile;
    this.process = process;
  }

  /**
   * Checks whether the daemon can run on this machine.
   *
   * @return empty if it can; else the reason, as a sentence for the message of a skipped test
   */
  public static Optional<String> available() {
    return ChildProcess.find(PROGRAM).isPresent()
        ? Optional.empty()
        : Optional.of(PROGRAM + " is not installed (Debian: qemu-system-common)");
  }

  /**
   * {@return a new description of what to run: one queue, with no limit of speed}
   *
   * @param disk the raw file to export, a multiple of 512 bytes; it stays the caller's. Its path
   *     has no comma
   * @param socket the path at which it will listen: at most 107 bytes, without a comma; the file
   *     must not exist, its directory must
   */
  public static Builder builder(Path disk, Path socket) {
    return new Builder(disk.toAbsolutePath(), socket.toAbsolutePath());
  }

  /** Describes the daemon to run. Not thread-safe. */
  public static final class Builder {
    private final Path disk;
    private final Path socket;
    private int queues = 1;
    private int requestsPerSecond;

    private Builder(Path disk, Path socket) {
      // Commas separate its options, and it silently cuts off a path that is too long.
      for (Path path : List.of(disk, socket)) {
        if (path.toString().indexOf(',') >= 0) {
          throw new IllegalArgumentException("a path here has no comma: " + path);
        }
      }
      if (socket.toString().getBytes(StandardCharsets.UTF_8).length > 107) {
        throw new IllegalArgumentException("a socket's path has at most 107 bytes: " + socket);
      }
      this.disk = disk;
      this.socket = socket;
    }

    /**
     * Sets how many virtqueues it serves. The default is one.
     *
     * @param count 1 to 255
     * @return this
     */
    public Builder queues(int count) {
      if (count < 1 || count > 255) {
        throw new IllegalArgumentException("queues are 1 to 255, not " + count);
      }
      queues = count;
      return this;
    }

    /**
     * Limits how many requests it completes. It takes more from the ring and keeps them in flight.
     *
     * @param count requests a second, 1 or more
     * @return this
     */
    public Builder requestsPerSecond(int count) {
      if (count < 1) {
        throw new IllegalArgumentException(count + " requests a second are none");
      }
      requestsPerSecond = count;
      return this;
    }

    /**
     * Starts the process and waits until it listens.
     *
     * @param deadline for all of it; usually it takes a tenth of a second
     * @return the running process; the caller closes it
     * @throws VhostException when it cannot be started or is not ready in time; the process and its
     *     files are then removed
     */
    public StorageDaemon start(Deadline deadline) {
      Optional<String> reason = available();
      if (reason.isPresent()) {
        throw new VhostException("starting " + PROGRAM + ": " + reason.get(), Recovery.GIVE_UP);
      }
      if (Files.exists(socket)) {
        throw new VhostException(
            "starting " + PROGRAM + ": " + socket + " exists already", Recovery.GIVE_UP);
      }
      Path pidFile = socket.resolveSibling(socket.getFileName() + ".pid");
      var daemon =
          new StorageDaemon(
              disk, socket, pidFile, ChildProcess.leashed(PROGRAM, command(pidFile), Map.of()));
      try {
        daemon.awaitReady(deadline);
      } catch (RuntimeException e) {
        daemon.close();
        throw e;
      }
      return daemon;
    }

    private List<String> command(Path pidFile) {
      String node = "disk";
      var command = new ArrayList<>(List.of(PROGRAM, "--blockdev"));
      command.add("driver=file,node-name=disk,filename=" + disk);
      if (requestsPerSecond > 0) {
        node = "slow";
        command.addAll(
            List.of("--object", "throttle-group,id=limit,x-iops-total=" + requestsPerSecond));
        command.addAll(
            List.of("--blockdev", "driver=throttle,node-name=slow,throttle-group=limit,file=disk"));
      }
      command.addAll(
          List.of(
              "--export",
              "type=vhost-user-blk,id=export,node-name=%s,addr.type=unix,addr.path=%s,num-queues=%d,writable=on"
                  .formatted(node, socket, queues)));
      // The file is written when everything above is set up.
      command.addAll(List.of("--pidfile", pidFile.toString()));
      return command;
    }
  }

  private void awaitReady(Deadline deadline) {
    while (!Files.exists(pidFile)) {
      if (process.awaitExit(Deadline.in(LOOK_MILLIS, TimeUnit.MILLISECONDS))) {
        throw new VhostException(
            "starting " + PROGRAM + ": the process ended; " + process.lastLines(),
            Recovery.GIVE_UP);
      }
      if (deadline.expired() || Thread.currentThread().isInterrupted()) {
        throw new VhostException(
            "starting "
                + PROGRAM
                + ": it does not listen after "
                + deadline.allowed()
                + "; "
                + process.lastLines(),
            Recovery.GIVE_UP);
      }
    }
  }

  /** {@return the path of the exported file, absolute} */
  public Path disk() {
    return disk;
  }

  /** {@return the path of the socket at which it listens, absolute} */
  public Path socket() {
    return socket;
  }

  /** {@return the process's id, for example to inspect its mappings and descriptors} */
  public long processId() {
    return process.pid();
  }

  /** {@return whether the process is running} */
  public boolean isAlive() {
    return process.isAlive();
  }

  /**
   * {@return the last half a million characters that it has printed, which include the errors of
   * its vhost library}
   */
  public String output() {
    return process.transcript().text();
  }

  /**
   * Waits until it has printed an error.
   *
   * @param text a part of the error message
   * @param deadline when to give up
   * @throws VhostException when it did not in time
   */
  public void awaitOutput(String text, Deadline deadline) {
    process.transcript().awaitText(text, 0, deadline, "waiting for " + PROGRAM + " to complain");
  }

  /**
   * Ends the process at once (SIGKILL), as a crash would. {@link #close()} is still needed; after
   * it another daemon can use the same socket.
   */
  public void crash() {
    process.kill();
  }

  /** Ends the process and removes its socket. The disk stays. Idempotent. */
  @Override
  public void close() {
    process.close();
    delete(socket);
    delete(pidFile);
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // The file stays in the caller's directory.
    }
  }
}
