package io.github.jvhost.migration;

import io.github.jvhost.vhost.VhostNet;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/**
 * Sends the state that a device's back end has of its own (DEVICE_STATE), as it comes: it is read
 * behind the stop, when all rings have stopped (vhost-user, "Migrating back-end state").
 */
final class LeavingState implements WritableByteChannel {
  private final MessageStream stream;
  private final String device;

  private LeavingState(MessageStream stream, String device) {
    this.stream = stream;
    this.device = device;
  }

  /**
   * Sends the states of those devices whose back ends have one.
   *
   * @throws io.github.jvhost.VhostException a back end could not say it
   */
  static void sendAll(List<VhostNet> devices, MessageStream stream) {
    for (int i = 0; i < devices.size(); i++) { // without an iterator: a guest is stopped
      VhostNet device = devices.get(i);
      if (device.migration().hasBackEndState()) {
        device.migration().saveBackEndState(new LeavingState(stream, device.name()));
        stream.send(new MigrationMessage.BackEndState(device.name(), ByteBuffer.allocate(0)));
      }
    }
  }

  @Override
  public int write(ByteBuffer bytes) {
    int count = Math.min(bytes.remaining(), PageSink.MAX_BYTES);
    if (count > 0) { // an empty chunk is the end
      stream.send(new MigrationMessage.BackEndState(device, bytes.slice(bytes.position(), count)));
      bytes.position(bytes.position() + count);
    }
    return count;
  }

  @Override
  public boolean isOpen() {
    return true;
  }

  @Override
  public void close() {
    // The stream is the migration's.
  }
}
