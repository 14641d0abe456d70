package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * The final state of each device and COMMIT, in one piece. Of a device whose early record the
 * destination has read, only the ring indexes are sent if nothing else has changed.
 *
 * <pre>
 *   | MOVED of net0 | DEVICE ... record of net1, final ... | COMMIT |
 * </pre>
 *
 * <p>For one thread.
 */
final class FinalRecords {
  /** The first compiler is at a method after 200 calls; most are called several times a round. */
  private static final int ROUNDS = 100;

  /** Of these rounds, one in so many has a device of which more has changed. */
  private static final int CHANGED_EACH = 5;

  private static final Duration REHEARSAL = Duration.ofMillis(50);

  private final List<VhostNet> devices;
  private final int generation;

  /** Early records of the generation that the destination has read, by device. */
  private final Map<VhostNet, KnownEarly> early;

  /**
   * Nothing is encoded yet.
   *
   * @param devices in the order in which they are sent
   * @param generation of the newest early records
   * @param early those of the devices for which the destination has read them
   */
  FinalRecords(List<VhostNet> devices, int generation, Map<VhostNet, KnownEarly> early) {
    this.devices = devices;
    this.generation = generation;
    this.early = early;
  }

  /**
   * Makes them again and again while the guest runs. The first time that a JVM does so takes
   * milliseconds, and a stopped guest would wait for that.
   */
  void rehearse() {
    Deadline deadline = Deadline.after(REHEARSAL);
    var changed = new FinalRecords(devices, generation, Map.of());
    for (int i = 0; i < ROUNDS && !deadline.expired(); i++) {
      (i % CHANGED_EACH == 0 ? changed : this).ofStopped();
    }
  }

  /** The bytes, of devices that have stopped. */
  ByteBuffer ofStopped() {
    MessageBody all = MessageBody.toWrite();
    for (VhostNet device : devices) {
      of(device).encode(all);
    }
    new MigrationMessage.Commit().encode(all);
    return all.bytes().flip();
  }

  private MigrationMessage of(VhostNet device) {
    VirtioNetState last = device.snapshot();
    KnownEarly known = early.get(device);
    MovedRings moved = known == null ? null : MovedRings.between(known.state(), last);
    return known == null || moved == null
        ? new MigrationMessage.Final(
            VirtioNetVmState.toRecord(device.name(), DeviceRecord.Kind.FINAL, generation, last))
        : new MigrationMessage.Moved(device.name(), generation, known.checksum(), moved);
  }
}
