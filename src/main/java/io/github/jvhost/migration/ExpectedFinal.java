package io.github.jvhost.migration;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.Restoration;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.RingIndexPlaces;
import java.nio.ByteBuffer;

/**
 * A device's final record as it will come if the guest has done nothing since the early one but
 * send and receive: the same bytes, save for the ring indexes. Such a record is not decoded but
 * compared, and the state that was decoded early is put in place. Any other goes the long way.
 *
 * <pre>
 *   early record    | ... | 80 |    ... | 82 |    ... |    was decoded and checked with time to spare
 *   final record    | ... | 97 |    ... | 4711 |  ... |    is compared; 97 and 4711 are taken over
 * </pre>
 *
 * <p>In the stop window it makes no object. For one thread at a time.
 */
final class ExpectedFinal {
  private final VhostNet net;
  private final VirtioNetState decoded;
  private final RingIndexPlaces places;
  private final ByteBuffer expected;
  private final int body;
  private Restoration state;
  private boolean matched;

  private ExpectedFinal(
      VhostNet net, VirtioNetState decoded, RingIndexPlaces places, ByteBuffer expected, int body) {
    this.net = net;
    this.decoded = decoded;
    this.state = net.model().prepareRestore(decoded);
    this.places = places;
    this.expected = expected;
    this.body = body;
  }

  /**
   * Of a device.
   *
   * @param early its newest record
   * @param decoded that record's state
   * @throws VhostException the state does not fit the device
   */
  static ExpectedFinal of(VhostNet net, DeviceRecord early, VirtioNetState decoded) {
    ByteBuffer expected = encoded(early);
    int body = expected.remaining() - early.body().size();
    return new ExpectedFinal(net, decoded, RingIndexPlaces.of(decoded), expected, body);
  }

  /** An early record as the final one, if nothing at all changes until then. */
  static ByteBuffer encoded(DeviceRecord early) {
    var last =
        new DeviceRecord(early.device(), DeviceRecord.Kind.FINAL, early.generation(), early.body());
    ByteBuffer bytes = ByteBuffer.allocateDirect(last.size());
    last.write(bytes);
    return bytes.flip();
  }

  VhostNet net() {
    return net;
  }

  /** For rehearsals: as if nothing had come yet. */
  void rewind() {
    state = net.model().prepareRestore(decoded);
    matched = false;
  }

  /**
   * Looks whether this is the record that was expected.
   *
   * @param bytes of a whole record, between position and limit; not moved
   */
  boolean matches(ByteBuffer bytes) {
    matched = false;
    int from = bytes.position();
    if (bytes.remaining() != expected.capacity() || !isOf(bytes) || !state.isCurrent()) {
      return false;
    }
    places.copy(from + body, bytes, body, expected);
    if (expected.mismatch(bytes) >= 0) {
      return false;
    }
    for (int ring = 0; ring < places.rings(); ring++) {
      if (!places.isSound(ring, body, expected)) {
        return false;
      }
      state.base(ring, places.base(ring, body, expected));
    }
    matched = true;
    return true;
  }

  /** Whether it is a final record of this device, of this generation, with as long a body. */
  private boolean isOf(ByteBuffer bytes) {
    for (int i = 0; i < body; i++) {
      if (expected.get(i) != bytes.get(bytes.position() + i)) {
        return false;
      }
    }
    return true;
  }

  /** Whether the record that came was the one that was expected. */
  boolean matched() {
    return matched;
  }

  /** Puts the state in place, with the indexes of the record that matched. */
  void restore() {
    net.migration().restore(state);
  }
}
