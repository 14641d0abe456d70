package io.github.jvhost.bench;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.time.Duration;

/** The output of a running peer, line by line. Used by one thread at a time. */
final class PeerLines implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final ChildProcess process;
  private long position;

  /**
   * Reads the output of a process.
   *
   * @param process this object owns it from now on
   */
  PeerLines(ChildProcess process) {
    this.process = process;
  }

  void type(String line) {
    process.type(line);
  }

  /**
   * The next line.
   *
   * @param what what it is expected to be about, for messages
   * @throws VhostException the process has ended, or says nothing
   */
  String next(String what) {
    String line = process.transcript().awaitText("\n", position, Deadline.after(PATIENCE), what);
    position += line.length() + 1;
    return line;
  }

  /** Ends the process. */
  @Override
  public void close() {
    process.close();
  }
}
