package io.github.jvhost.testkit.process;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A program in a child process, with its output. Thread-safe.
 *
 * <p>It is started in one of three ways. An {@link #interactive} program reads commands from its
 * standard input and quits when that ends. So does a {@link #prompting} one, whose standard error
 * is kept apart. A {@link #leashed} program reads nothing: a shell waits for the end of the
 * standard input in its place and then kills it, so that it ends even if the JVM is killed.
 */
public final class ChildProcess implements AutoCloseable {
  private static final long KILL_SECONDS = 10;

  /**
   * The shell starts a child that waits, and then becomes the program, so that the process id is
   * the program's. The child kills only its parent. If the program has ended before, the child has
   * another parent, so it cannot kill a new process with the same id.
   */
  private static final String LEASH =
      """
      exec 3<&0
      (cat <&3; read -r _ _ _ parent _ </proc/self/stat; [ "$parent" = $$ ] && kill -KILL $$) \
      >/dev/null 2>&1 &
      exec "$@" 3<&- </dev/null\
      """;

  private final String name;
  private final Process process;
  private final Writer input;
  private final Transcript errors = new Transcript();
  private final Transcript transcript = new Transcript(errors);
  private final Thread reader;

  private ChildProcess(String name, Process process) {
    this.name = name;
    this.process = process;
    this.input = process.outputWriter(ISO_8859_1);
    Thread errorReader = reader(() -> read(process.getErrorStream(), errors));
    this.reader =
        reader(() -> {
          read(process.getInputStream(), transcript);
          join(errorReader); // whoever sees the end of the output may ask for the errors
          transcript.end();
        });
  }

  /**
   * {@return the path of a program; empty if it is in none of the directories}
   *
   * @param program its name
   * @param others directories that are searched before PATH
   */
  public static Optional<Path> find(String program, Path... others) {
    var places = new ArrayList<>(List.of(others));
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("/usr/bin:/bin");
    for (String directory : path.split(":", -1)) {
      places.add(Path.of(directory));
    }
    return places.stream()
        .map(directory -> directory.resolve(program))
        .filter(file -> Files.isExecutable(file) && Files.isRegularFile(file))
        .findFirst();
  }

  /**
   * Starts a program that reads commands from its standard input.
   *
   * @param name for messages
   * @param command the program and its arguments
   * @return the running program, which the caller has to close
   * @throws VhostException when it cannot be started
   */
  public static ChildProcess interactive(String name, List<String> command) {
    return start(name, command, Map.of(), true);
  }

  /**
   * Starts a program that reads commands from its standard input, and prints on its standard output
   * that it waits for the next one. Whatever it prints on its standard error is kept apart: it
   * could cut into that.
   *
   * @param name for messages
   * @param command the program and its arguments
   * @return the running program, which the caller has to close
   * @throws VhostException when it cannot be started
   */
  public static ChildProcess prompting(String name, List<String> command) {
    return start(name, command, Map.of(), false);
  }

  /**
   * Starts a program that runs until it is killed. Its standard input is empty.
   *
   * @param name for messages
   * @param command the program and its arguments
   * @param environment variables that are added to, or replaced in, our own
   * @return the running program, which the caller has to close
   * @throws VhostException when the shell cannot be started; if the program does not exist, only
   *     the output says so
   */
  public static ChildProcess leashed(
      String name, List<String> command, Map<String, String> environment) {
    var held = new ArrayList<>(List.of("/bin/sh", "-c", LEASH, "leash"));
    held.addAll(command);
    return start(name, held, environment, true);
  }

  private static ChildProcess start(
      String name, List<String> command, Map<String, String> environment, boolean together) {
    try {
      var builder = new ProcessBuilder(command).redirectErrorStream(together);
      builder.environment().putAll(environment);
      return new ChildProcess(name, builder.start());
    } catch (IOException e) {
      throw new VhostException("starting " + name + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  private Thread reader(Runnable task) {
    return Thread.ofPlatform().daemon().name(name + " output").start(task);
  }

  private static void read(InputStream stream, Transcript kept) {
    var buffer = new char[4096];
    try (Reader output = new InputStreamReader(stream, ISO_8859_1)) {
      for (int count = output.read(buffer); count >= 0; count = output.read(buffer)) {
        kept.append(buffer, count);
      }
    } catch (IOException e) {
      // The process was destroyed during the read, and its last output is lost.
    }
  }

  private static void join(Thread thread) {
    boolean interrupted = Thread.interrupted();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(KILL_SECONDS));
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** {@return the process's id} */
  public long pid() {
    return process.pid();
  }

  /** {@return whether it still runs} */
  public boolean isAlive() {
    return process.isAlive();
  }

  /**
   * {@return its exit code; after a signal 128 plus the signal's number}
   *
   * @throws IllegalStateException when it still runs
   */
  public int exitValue() {
    try {
      return process.exitValue();
    } catch (IllegalThreadStateException e) {
      throw new IllegalStateException(name + " still runs", e);
    }
  }

  /**
   * {@return its output on both streams, or that on standard output if it is {@link #prompting}} It
   * stays readable when it has ended.
   */
  public Transcript transcript() {
    return transcript;
  }

  /**
   * {@return the last few lines that it has printed, joined into one, as part of an error message}
   * When it has ended, all that it printed is waited for.
   */
  public String lastLines() {
    if (!isAlive()) {
      awaitOutput();
    }
    return transcript.lastLines();
  }

  /** {@return what a {@link #prompting} program has printed on its standard error} */
  public Transcript errors() {
    return errors;
  }

  /**
   * Sends one line to its standard input.
   *
   * @param line the line without line feed; characters outside ISO 8859-1 arrive as question marks
   * @throws VhostException when it no longer reads
   */
  public void type(String line) {
    try {
      input.write(line + "\n");
      input.flush();
    } catch (IOException e) {
      throw new VhostException(
          "telling " + name + " \"" + line + "\": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Ends its standard input: an interactive program quits, a leashed one is killed. */
  public void endInput() {
    try {
      input.close();
    } catch (IOException e) {
      // The process has ended already.
    }
  }

  /**
   * Waits for its end.
   *
   * @param deadline when to stop waiting
   * @return true if it has ended; false at the deadline or on an interrupt, which stays set
   */
  public boolean awaitExit(Deadline deadline) {
    try {
      return process.waitFor(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /**
   * Ends it at once (SIGKILL), as a crash would, and waits until it has ended. {@link #close()} is
   * still needed.
   */
  public void kill() {
    process.destroyForcibly();
    boolean interrupted = Thread.interrupted();
    try {
      if (!process.waitFor(KILL_SECONDS, TimeUnit.SECONDS)) {
        throw new VhostException(
            "killing " + name + ": it is still there after " + KILL_SECONDS + " s",
            Recovery.GIVE_UP);
      }
    } catch (InterruptedException e) {
      interrupted = true;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Waits until all its output is in the transcript. To be called when it has ended. */
  public void awaitOutput() {
    join(reader);
  }

  /** Kills it if it still runs, and reads its output to the end. Idempotent. */
  @Override
  public void close() {
    kill();
    endInput();
    awaitOutput();
  }
}
