package io.github.jvhost.migration;

import io.github.jvhost.vhost.VhostNet;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/**
 * Sends the own state of a device's back end (DEVICE_STATE) as it comes. It is read when all rings
 * have stopped (vhost-user, "Migrating back-end state").
 */
final class BackEndStateSender implements WritableByteChannel {
  private final MessageStream stream;
  private final String device;

  private BackEndStateSender(MessageStream stream, String device) {
    this.stream = stream;
    this.device = device;
  }

  /**
   * Sends the states of those devices whose back ends have one.
   *
   * @throws io.github.jvhost.VhostException if a back end could not give it
   */
  static void sendAll(List<VhostNet> devices, MessageStream stream) {
    for (VhostNet device : devices) {
      if (device.migration().hasBackEndState()) {
        device.migration().saveBackEndState(new BackEndStateSender(stream, device.name()));
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
