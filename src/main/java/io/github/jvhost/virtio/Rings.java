package io.github.jvhost.virtio;

import io.github.jvhost.memory.DeviceMemory;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** The rings of a live device: RX0, TX0, RX1, TX1, ..., control. */
final class Rings {
  /** The result of serving the control ring, with the reason if the ring broke. */
  record Served(int completed, Optional<String> broke) {}

  private final int queueSize;

  /** The device's owner writes it. Any thread may read its size. */
  private volatile List<Ring> rings = List.of();

  Rings(int queueSize) {
    this.queueSize = queueSize;
  }

  int queueSize() {
    return queueSize;
  }

  int count() {
    return rings.size();
  }

  int control() {
    return rings.size() - 1;
  }

  Ring get(int ring) {
    List<Ring> all = rings;
    return all.get(Objects.checkIndex(ring, all.size()));
  }

  /** Makes the rings for that many pairs. None of them is set up. */
  void make(int pairs, boolean packed) {
    List<Ring> made = new ArrayList<>(2 * pairs + 1);
    for (int i = 0; i <= 2 * pairs; i++) {
      made.add(new Ring(i < 2 * pairs ? queueSize : VirtioNet.CONTROL_QUEUE_SIZE, packed));
    }
    rings = made;
  }

  /**
   * Executes the commands that wait in the control ring, and advances its index.
   *
   * @param order byte order of a split ring
   * @return how many commands were completed, and whether the ring broke afterwards
   */
  Served serveControl(
      DeviceMemory memory, long features, ByteOrder order, ControlRing.Commands commands) {
    Ring ring = get(control());
    ControlRing served = ControlRing.of(memory, ring.state(), features, order);
    Optional<String> broke = Optional.empty();
    try {
      served.serve(commands);
    } catch (ControlRing.BrokenRingException e) {
      broke = Optional.of("control ring: " + e.getMessage());
    }
    ring.next(served.next());
    return new Served(served.completed(), broke);
  }

  List<SavedQueue> save(HostOffer offer, TransportState transport) {
    return rings.stream().map(ring -> ring.save(offer, transport)).toList();
  }

  void restore(VirtioNetState state, boolean packed, boolean modernDriver) {
    List<Ring> saved = new ArrayList<>(state.queueCount());
    for (int i = 0; i < state.queueCount(); i++) {
      saved.add(new Ring(state.queue(i), packed, modernDriver));
    }
    rings = saved;
  }
}
