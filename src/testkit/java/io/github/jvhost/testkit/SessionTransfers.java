package io.github.jvhost.testkit;

import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Pipe;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What goes back and forth as a descriptor on one connection: in-flight regions, the pipe of the
 * device's state, shared objects, page faults. Used by one thread.
 */
final class SessionTransfers implements AutoCloseable {
  private final BackEndState state;
  private final BackEndDevice device;
  private final BackEndRecord record;
  private final DescriptorLedger ledger;
  private @Nullable BackEndInflight inflight;
  private @Nullable BackEndStateStream stream;

  SessionTransfers(
      BackEndState state, BackEndDevice device, BackEndRecord record, DescriptorLedger ledger) {
    this.state = state;
    this.device = device;
    this.record = record;
    this.ledger = ledger;
  }

  void inflightMade(InflightLayout layout, List<OwnedDescriptor> outgoing) {
    // The front end owns the regions: this back end uses them once they have come back.
    try (MemoryFile file = MemoryFile.create(ledger, "in-flight regions", layout.bytes())) {
      outgoing.add(file.descriptor().duplicate());
    }
  }

  /** Takes regions up. */
  void inflightTaken(InflightLayout layout, long offset, OwnedDescriptor file) {
    BackEndInflight next = BackEndInflight.map(layout, offset, file);
    closeInflight();
    inflight = next;
  }

  void ringStarted(int ring) {
    if (inflight != null) {
      inflight.started(state.model(ring), state);
    }
  }

  void served() {
    if (inflight != null) {
      inflight.served(state);
    }
  }

  /**
   * Moves the state.
   *
   * @param told what the front end sent; from here on this object's
   * @param outgoing takes the front end's end of a pipe of our own
   */
  void stateBegun(
      Effect.StateTransferBegun begun, OwnedDescriptor told, List<OwnedDescriptor> outgoing) {
    closeStream();
    OwnedDescriptor ours = told;
    if (begun.ownPipe()) {
      told.close();
      Pipe pipe = Pipe.open(ledger, "the device's state");
      boolean save = begun.direction() == Direction.SAVE;
      outgoing.add(save ? pipe.readEnd() : pipe.writeEnd());
      ours = save ? pipe.writeEnd() : pipe.readEnd();
    }
    stream = BackEndStateStream.begin(device, record, begun.direction(), ours);
  }

  /** Whether the transfer that was begun last went well. */
  boolean stateIsWell() {
    return stream != null && stream.isWell();
  }

  void objectGiven(Effect.ObjectGiven given, List<OwnedDescriptor> outgoing) {
    OwnedDescriptor object = device.shared(given.uuid());
    if (object != null) {
      outgoing.add(object);
    }
  }

  /**
   * An eventfd stands in for the userfaultfd, which not every kernel gives to everybody. It is
   * never readable: nothing here misses a page.
   */
  void postcopyAdvised(List<OwnedDescriptor> outgoing) {
    outgoing.add(EventFd.create(ledger, "page faults").descriptor());
  }

  private void closeInflight() {
    if (inflight != null) {
      inflight.close();
      inflight = null;
    }
  }

  private void closeStream() {
    if (stream != null) {
      stream.close();
      stream = null;
    }
  }

  @Override
  public void close() {
    closeInflight();
    closeStream();
  }
}
