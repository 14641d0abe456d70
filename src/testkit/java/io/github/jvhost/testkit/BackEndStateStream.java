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
 * The device's own state on its way through a pipe, moved by a thread of its own while messages are
 * served. It ends with the pipe, with the connection, or never, as a test may want it.
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
   * Begins.
   *
   * @param pipe from here on this object's
   */
  static BackEndStateStream begin(
      BackEndDevice device, BackEndRecord record, Direction direction, OwnedDescriptor pipe) {
    BackEndStateStream stream = new BackEndStateStream(device, record, direction, pipe);
    stream.thread.start();
    return stream;
  }

  /** Waits for the end; whether everything arrived and was as it should be. */
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
          // Nothing taken within a slice is no failure: the front end reads when it likes to.
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
      // How long the state is nobody says; the faults come after the first bytes.
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

  /** Ends the transfer wherever it is, closes the pipe, waits for the thread. */
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
