package io.github.jvhost.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a command end in good order on SIGINT and SIGTERM, with an exit code of its own: the thread
 * that made this is interrupted, and the process waits until it has cleaned up.
 *
 * <pre>
 *   signal --> the JVM's shutdown hook --interrupt--> the command's thread: cleans up, close()
 *                                 ^----- closed() --------'
 *                                 '--> the process ends with the code
 * </pre>
 */
final class EndOnSignal implements AutoCloseable {
  /** Longer than a mock back end takes at most to close. */
  private static final Duration PATIENCE = Duration.ofSeconds(40);

  private final Thread command = Thread.currentThread();
  private final CountDownLatch finished = new CountDownLatch(1);
  private final Thread hook = Thread.ofPlatform().name("end on signal").unstarted(this::end);
  private volatile int exitCode = 1;

  EndOnSignal() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Says which code a process that is being ended shall end with; 1 where nothing was said. */
  void exitCode(int code) {
    exitCode = code;
  }

  private void end() {
    command.interrupt();
    try {
      if (!finished.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        exitCode = 1;
      }
    } catch (InterruptedException e) {
      exitCode = 1;
    }
    // A signal's own code, 130 or 143, is what would come out otherwise.
    Runtime.getRuntime().halt(exitCode);
  }

  /** From here on signals do what they usually do, unless one has come already. */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // One has come: the hook waits for this and then ends the process.
    }
    finished.countDown();
  }
}
