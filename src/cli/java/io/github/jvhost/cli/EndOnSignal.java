package io.github.jvhost.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import jdk.jfr.FlightRecorder;
import jdk.jfr.FlightRecorderListener;
import jdk.jfr.Recording;

/**
 * Makes a command end normally on SIGINT and SIGTERM, with an exit code that it chooses. A signal
 * interrupts the thread that created this object, and the process waits until that thread has
 * cleaned up.
 *
 * <pre>
 *   signal --> the JVM's shutdown hook --interrupt--> the command's thread: cleans up, close()
 *                                 ^----- closed() --------'
 *                                 '--> the process ends with the code, once recordings are written
 * </pre>
 */
final class EndOnSignal implements AutoCloseable {
  /** Longer than the longest close of a mock back end. */
  private static final Duration PATIENCE = Duration.ofSeconds(40);

  private final Thread command = Thread.currentThread();
  private final CountDownLatch finished = new CountDownLatch(1);
  private final Thread hook = Thread.ofPlatform().name("end on signal").unstarted(this::end);
  private volatile int exitCode = 1;

  EndOnSignal() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Sets the exit code of a process that a signal ends. The default is 1. */
  void exitCode(int code) {
    exitCode = code;
  }

  private void end() {
    command.interrupt();
    try {
      if (!finished.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        exitCode = 1;
      }
      awaitRecordings();
    } catch (InterruptedException e) {
      exitCode = 1;
    }
    // Otherwise the exit code would be the signal's own, 130 or 143.
    Runtime.getRuntime().halt(exitCode);
  }

  /**
   * Waits until the JVM has written the flight recordings that it writes at its end. It does so in
   * a shutdown hook of its own, which a halt would cut short.
   */
  private static void awaitRecordings() throws InterruptedException {
    if (!FlightRecorder.isInitialized()) {
      return;
    }
    var written = new CountDownLatch(1);
    FlightRecorder.addListener(
        new FlightRecorderListener() {
          @Override
          public void recordingStateChanged(Recording recording) {
            if (areWritten()) {
              written.countDown();
            }
          }
        });
    if (!areWritten()) {
      var _ = written.await(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }
  }

  /** A recording that was written is closed, and then the recorder does not list it any more. */
  private static boolean areWritten() {
    return FlightRecorder.getFlightRecorder().getRecordings().stream()
        .noneMatch(Recording::getDumpOnExit);
  }

  /** Restores the usual effect of signals, unless one has arrived already. */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // A signal has arrived: the hook waits for this call and then ends the process.
    }
    finished.countDown();
  }
}
