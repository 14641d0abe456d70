package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.PipeReader;
import io.github.jvhost.sys.io.PipeWriter;
import io.github.jvhost.testkit.BackEndDevice.StateFault;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Moves the device's own state through a pipe, on a thread of its own, while messages are served.
 * The transfer ends at the end of the pipe or of the connection, or with a scripted fault.
 */
final class BackEndStateStream implements AutoCloseable {
  private static final Duration SLICE = Duration.ofMillis(20);
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final int WINDOW = 64 * 1024;

  private final BackEndDevice device;
  private final BackEndRecord record;
  private final StateFault fault;
  private final Thread thread;
  private volatile boolean closing;
  private volatile boolean stalled;
  private volatile boolean well;

  private BackEndStateStream(
      BackEndDevice device, BackEndRecord record, Direction direction, OwnedDescriptor pipe) {
    this.device = device;
    this.record = record;
    this.fault = device.fault();
    this.thread =
        Thread.ofPlatform()
            .name("mock back end state " + direction)
            .daemon()
            .unstarted(() -> move(direction, pipe));
  }

  /**
   * Starts the transfer.
   *
   * @param pipe this object owns it from now on
   */
  static BackEndStateStream begin(
      BackEndDevice device, BackEndRecord record, Direction direction, OwnedDescriptor pipe) {
    BackEndStateStream stream = new BackEndStateStream(device, record, direction, pipe);
    stream.thread.start();
    return stream;
  }

  /**
   * Waits for the end of the transfer. Returns true if the whole state arrived and was the expected
   * one.
   */
  boolean isWell() {
    Deadline deadline = Deadline.after(PATIENCE);
    try {
      while (!stalled && !closing && !deadline.expired()) {
        if (thread.join(SLICE)) {
          return well;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return false;
  }

  private void move(Direction direction, OwnedDescriptor pipe) {
    try {
      well = direction == Direction.SAVE ? save(pipe) : load(pipe);
    } catch (VhostException e) {
      record.note("the device's state: " + e.getMessage());
    }
  }

  private boolean save(OwnedDescriptor pipe) {
    try (PipeWriter out = PipeWriter.adopt(pipe)) {
      byte[] state = device.stateToSave();
      int most = halfway(state.length);
      do {
        ByteBuffer rest = ByteBuffer.wrap(state, 0, most);
        while (rest.hasRemaining() && !closing) {
          // A slice in which nothing was written is no failure: the front end may read later.
          var _ = out.write(rest, Deadline.after(SLICE));
        }
      } while (fault == StateFault.NEVER_ENDS && !closing);
      stall(pipe);
      return !closing && fault == StateFault.NONE;
    }
  }

  private boolean load(OwnedDescriptor pipe) {
    try (PipeReader in = PipeReader.adopt(pipe)) {
      ByteArrayOutputStream whole = new ByteArrayOutputStream();
      ByteBuffer window = ByteBuffer.allocate(WINDOW);
      // The length of the state is not known in advance, so the faults happen after the first
      // bytes.
      boolean cut = fault == StateFault.STALLS || fault == StateFault.ENDS_EARLY;
      int count = 0;
      while (count >= 0 && !closing && !(cut && whole.size() > 0)) {
        window.clear();
        count = in.read(window, Deadline.after(SLICE));
        whole.write(window.array(), 0, window.position());
      }
      stall(pipe);
      return count < 0 && device.load(whole.toByteArray());
    }
  }

  private int halfway(int length) {
    return fault == StateFault.STALLS || fault == StateFault.ENDS_EARLY ? length / 2 : length;
  }

  private synchronized void stall(OwnedDescriptor pipe) {
    if (fault != StateFault.STALLS) {
      return;
    }
    stalled = true;
    record.note("scripted: stalled with " + pipe + " open");
    try {
      while (!closing) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends the transfer at any point, closes the pipe, and waits for the thread. */
  @Override
  public void close() {
    closing = true;
    synchronized (this) {
      notifyAll();
    }
    try {
      if (!thread.join(PATIENCE)) {
        record.note("a transfer of the device's state did not end within " + PATIENCE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
