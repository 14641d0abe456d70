package io.github.jvhost.migration;

import io.github.jvhost.Bytes;
import io.github.jvhost.vhost.DeviceStop;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.RingIndexPlaces;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The source's last words, written while the guest still runs: a final record of each device, and
 * COMMIT, in one piece. Where a guest has then done nothing but send and receive, only ring indexes
 * are patched in, and no object is made; a device that changed in anything else is written anew.
 *
 * <pre>
 *   | DEVICE | ... record of net0, final ... | DEVICE | ... of net1 ... | COMMIT |
 *                       ~~ patched                        ~~ patched
 * </pre>
 *
 * <p>For one thread.
 */
final class FinalRecords {
  private final List<VhostNet> devices;
  private final int generation;
  private final List<Written> written = new ArrayList<>();
  private final ByteBuffer bytes;

  /**
   * A device's record in the bytes.
   *
   * @param changes of the device model, when it was written
   * @param places of the ring indexes in a body
   * @param body where that begins
   */
  private record Written(VhostNet device, long changes, RingIndexPlaces places, int body) {}

  /**
   * Writes them.
   *
   * @param generation of the newest early records
   */
  FinalRecords(List<VhostNet> devices, int generation) {
    this.devices = devices;
    this.generation = generation;
    List<ByteBuffer> messages = new ArrayList<>(devices.size() + 1);
    int size = 0;
    for (VhostNet device : devices) {
      long changes = device.migration().changes();
      VirtioNetState state = device.snapshot();
      byte[] body = VirtioNetVmState.encode(state);
      ByteBuffer message = message(device, body);
      size += message.remaining();
      written.add(new Written(device, changes, RingIndexPlaces.of(state), size - body.length));
      messages.add(message);
    }
    messages.add(new MigrationMessage.Commit().encode());
    bytes = ByteBuffer.allocateDirect(size + MigrationMessage.HEADER);
    messages.forEach(bytes::put);
    bytes.flip();
  }

  private ByteBuffer message(VhostNet device, byte[] body) {
    return new MigrationMessage.Device(
            new DeviceRecord(
                device.name(), DeviceRecord.Kind.FINAL, generation, Bytes.copyOf(body)))
        .encode();
  }

  /**
   * Whether the devices are as they were written. They may change until the stop holds them: a
   * thread that serves the control queue or pulls the link knows nothing of the migration.
   *
   * @param stop of these devices, that has returned; null: there are none
   */
  boolean stillRight(@Nullable DeviceStop stop) {
    for (int i = 0; stop != null && i < written.size(); i++) {
      if (stop.changesWhenHeld(i) != written.get(i).changes()) {
        return false;
      }
    }
    return true;
  }

  /** The bytes, with the places where the rings have stopped by now. */
  ByteBuffer patched() {
    for (int i = 0; i < written.size(); i++) {
      Written one = written.get(i);
      for (int ring = 0; ring < one.places().rings(); ring++) {
        one.places().base(ring, one.device().model().ringBase(ring), one.body(), bytes);
      }
    }
    return bytes;
  }

  /** The same of devices as they are now, which takes its time. */
  ByteBuffer anew() {
    return new FinalRecords(devices, generation).bytes;
  }
}
