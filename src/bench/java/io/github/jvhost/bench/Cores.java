package io.github.jvhost.bench;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Gives front ends one core and back ends another, as they would have, where this machine has two.
 * Left to itself the scheduler puts a back end that is woken by a message onto the core of whoever
 * sent it, or does not, and a window takes two or four times as long then: what is compared would
 * depend on luck.
 *
 * <p>It moves the thread that makes it, until it is closed; threads and processes that this one
 * starts in between are moved with it.
 */
final class Cores implements AutoCloseable {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path THREAD = Path.of("/proc/thread-self");
  private static final String ALLOWED = "Cpus_allowed_list:";
  private static final String TOOL = "taskset";
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final String all;
  private final List<String> backEndPrefix;

  private Cores(String all, List<String> backEndPrefix) {
    this.all = all;
    this.backEndPrefix = backEndPrefix;
  }

  /** Moves this thread to the front end's core, if there are two and the tool for it is there. */
  static Cores split() {
    Optional<String> allowed = allowed();
    if (allowed.isEmpty() || ChildProcess.find(TOOL).isEmpty()) {
      return new Cores("", List.of());
    }
    String[] ends = allowed.get().split("[,-]", -1);
    String first = ends[0];
    String last = ends[ends.length - 1];
    if (first.equals(last) || !move(first)) {
      return new Cores("", List.of());
    }
    return new Cores(allowed.get(), List.of(TOOL, "-c", last));
  }

  /** The command that runs a back end on its own core. */
  List<String> backEnd(List<String> command) {
    List<String> moved = new ArrayList<>(backEndPrefix);
    moved.addAll(command);
    return moved;
  }

  /** For people: how it is. */
  String describe() {
    return all.isEmpty() ? "front and back end wherever the scheduler puts them" : "a core each";
  }

  private static Optional<String> allowed() {
    try (var lines = Files.lines(STATUS)) {
      return lines
          .filter(line -> line.startsWith(ALLOWED))
          .map(line -> line.substring(ALLOWED.length()).strip())
          .findFirst();
    } catch (IOException e) {
      return Optional.empty(); // then nobody is moved
    }
  }

  /** Whether this thread runs on these cores from here on. */
  private static boolean move(String cores) {
    String thread;
    try {
      thread = Files.readSymbolicLink(THREAD).getFileName().toString();
    } catch (IOException e) {
      return false;
    }
    try (var tool = ChildProcess.interactive(TOOL, List.of(TOOL, "-c", "-p", cores, thread))) {
      return tool.awaitExit(Deadline.after(PATIENCE)) && tool.exitValue() == 0;
    }
  }

  /** This thread may run anywhere again. */
  @Override
  public void close() {
    if (!all.isEmpty()) {
      move(all);
    }
  }
}
