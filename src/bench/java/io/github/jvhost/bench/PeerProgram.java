package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The program peer.c, built by the C compiler of this machine into a directory that goes when this
 * is closed. One thread at a time.
 */
final class PeerProgram implements AutoCloseable {
  private static final String SOURCE = "peer.c";
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  private final Path directory;
  private final Cores cores;
  private int subdirectories;

  private PeerProgram(Path directory, Cores cores) {
    this.directory = directory;
    this.cores = cores;
  }

  /** Why there cannot be one here; empty: there can. */
  static Optional<String> missing() {
    return ChildProcess.find("gcc").isPresent() ? Optional.empty() : Optional.of("no gcc");
  }

  /**
   * Builds it.
   *
   * @param cores which one back ends run on; stays the caller's
   * @throws VhostException the compiler does not take it, or there is no room
   */
  static PeerProgram build(Cores cores) {
    Path directory = null;
    try {
      directory = Files.createTempDirectory("jvhost-bench");
      PeerProgram program = new PeerProgram(directory, cores);
      try (InputStream source = PeerProgram.class.getResourceAsStream(SOURCE)) {
        if (source == null) {
          throw new VhostException("the source " + SOURCE + " is missing", Recovery.GIVE_UP);
        }
        Files.copy(source, directory.resolve(SOURCE));
      }
      program.compile();
      return program;
    } catch (IOException e) {
      throw new VhostException("building " + SOURCE + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    } catch (VhostException e) {
      if (directory != null) {
        new PeerProgram(directory, cores).close();
      }
      throw e;
    }
  }

  private void compile() {
    List<String> command =
        List.of(
            "gcc",
            "-O2",
            "-Wall",
            "-o",
            directory.resolve("peer").toString(),
            directory.resolve(SOURCE).toString());
    try (ChildProcess compiler = ChildProcess.interactive("gcc", command)) {
      compiler.endInput();
      boolean ended = compiler.awaitExit(Deadline.after(PATIENCE));
      if (!ended || compiler.exitValue() != 0) {
        compiler.kill();
        throw new VhostException(
            "gcc does not build " + SOURCE + ": " + compiler.lastLines(), Recovery.GIVE_UP);
      }
    }
  }

  /** Where front ends and back ends run. */
  Cores cores() {
    return cores;
  }

  /** Starts it as a front end; its standard input is ours, and it ends with that. */
  ChildProcess startFrontEnd(List<String> arguments) {
    return ChildProcess.interactive("C front end", command(arguments));
  }

  /** Starts it as a back end, on a core of its own where there is one. */
  ChildProcess startBackEnd(List<String> arguments) {
    return ChildProcess.interactive("C back end", cores.backEnd(command(arguments)));
  }

  private List<String> command(List<String> arguments) {
    List<String> command = new ArrayList<>(List.of(directory.resolve("peer").toString()));
    command.addAll(arguments);
    return command;
  }

  /** An empty directory for sockets. */
  Path newDirectory() {
    try {
      return Files.createDirectory(directory.resolve(String.valueOf(subdirectories++)));
    } catch (IOException e) {
      throw new VhostException("making a directory: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Removes the directory with all that is in it. */
  @Override
  public void close() {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new VhostException(
          "removing " + directory + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
