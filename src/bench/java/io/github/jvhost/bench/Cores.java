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
 * Gives front ends one core and back ends another, if this machine has two. Without this, the
 * scheduler sometimes runs a back end on the core of the front end that woke it. A window then
 * takes two or four times as long, and the comparison would depend on chance.
 *
 * <p>It moves the thread that creates it until it is closed, together with the threads and
 * processes that this thread starts meanwhile.
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

  /** Leaves everybody where the scheduler puts them. */
  static Cores shared() {
    return new Cores("", List.of());
  }

  /** Moves this thread to the front end's core, if there are two and the tool for it is there. */
  static Cores split() {
    Optional<String> allowed = allowed();
    if (allowed.isEmpty() || ChildProcess.find(TOOL).isEmpty()) {
      return shared();
    }
    String[] ends = allowed.get().split("[,-]", -1);
    String first = ends[0];
    String last = ends[ends.length - 1];
    if (first.equals(last) || !move(first)) {
      return shared();
    }
    return new Cores(allowed.get(), List.of(TOOL, "-c", last));
  }

  /** The command that runs a back end on its own core. */
  List<String> backEnd(List<String> command) {
    List<String> moved = new ArrayList<>(backEndPrefix);
    moved.addAll(command);
    return moved;
  }

  /** Describes the placement as text. */
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
