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
 * What one connection exchanges as descriptors: in-flight regions, the pipe of the device's state,
 * shared objects, page faults. Used by one thread.
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
    // The front end owns the regions. This back end uses them when SET_INFLIGHT_FD sends them back.
    try (MemoryFile file = MemoryFile.create(ledger, "in-flight regions", layout.bytes())) {
      outgoing.add(file.descriptor().duplicate());
    }
  }

  /** Maps the regions and uses them from now on. */
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
   * Starts a transfer of the device's state.
   *
   * @param told the front end's pipe; this object owns it from now on
   * @param outgoing receives the front end's end if the back end creates the pipe
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

  /** Waits for the last transfer to end. Returns true if it succeeded. */
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
   * Sends an eventfd in place of a userfaultfd, which some kernels refuse to unprivileged
   * processes. It never becomes readable, because no page is ever missing here.
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
