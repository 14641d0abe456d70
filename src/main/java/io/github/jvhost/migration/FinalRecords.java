package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.KnownBody;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The final record of each device and COMMIT, encoded together. They are encoded while the guest
 * still runs. When the devices have stopped, the ring indexes are patched. If anything else has
 * changed meanwhile, all of it is encoded anew.
 *
 * <pre>
 *   | DEVICE | ... record of net0, final ... | DEVICE | ... of net1 ... | COMMIT |
 *                       ~~ indexes                       ~~ indexes
 * </pre>
 *
 * <p>For one thread.
 */
final class FinalRecords {
  /** The first compiler is at a method after 200 calls; most are called several times a round. */
  private static final int ROUNDS = 100;

  private static final Duration REHEARSAL = Duration.ofMillis(50);

  private final List<VhostNet> devices;
  private final int generation;
  private final List<KnownBody> bodies = new ArrayList<>();
  private final ByteBuffer bytes;

  /**
   * Writes them of devices as they are now.
   *
   * @param generation of the newest early records
   */
  FinalRecords(List<VhostNet> devices, int generation) {
    this.devices = devices;
    this.generation = generation;
    List<VirtioNetState> states = devices.stream().map(VhostNet::snapshot).toList();
    List<ByteBuffer> messages = new ArrayList<>(devices.size() + 1);
    for (int i = 0; i < states.size(); i++) {
      DeviceRecord last =
          VirtioNetVmState.toRecord(
              devices.get(i).name(), DeviceRecord.Kind.FINAL, generation, states.get(i));
      messages.add(new MigrationMessage.Final(last).encode());
    }
    messages.add(new MigrationMessage.Commit().encode());
    bytes = ByteBuffer.allocateDirect(messages.stream().mapToInt(ByteBuffer::remaining).sum());
    for (int i = 0; i < messages.size(); i++) {
      bytes.put(messages.get(i));
      if (i < states.size()) {
        // A record ends with its body.
        int body = VirtioNetVmState.encode(states.get(i)).length;
        bodies.add(KnownBody.in(states.get(i), bytes.slice(bytes.position() - body, body)));
      }
    }
    bytes.flip();
  }

  /**
   * Brings them up to date again and again while the guest runs. The first time that a JVM does so
   * takes milliseconds, and a stopped guest would wait for that.
   */
  void rehearse() {
    Deadline deadline = Deadline.after(REHEARSAL);
    for (int i = 0; i < ROUNDS && !deadline.expired(); i++) {
      ofStopped();
    }
  }

  /** The bytes, of devices that have stopped. */
  ByteBuffer ofStopped() {
    for (int i = 0; i < bodies.size(); i++) {
      if (!bodies.get(i).write(devices.get(i).snapshot())) {
        return new FinalRecords(devices, generation).bytes;
      }
    }
    return bytes;
  }
}
