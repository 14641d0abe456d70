package io.github.jvhost.migration;

import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The final records that have arrived: each either was as expected, so that it was only compared,
 * or had to be decoded. For one thread; for what was expected it makes no object.
 */
final class ArrivedFinals {
  /** As they will probably be, in the devices' order; empty before the stop. */
  private final List<ExpectedFinal> expected = new ArrayList<>();

  private final Map<VhostNet, VirtioNetState> decoded = new HashMap<>();

  void expect(ExpectedFinal last) {
    expected.add(last);
  }

  /**
   * Whether a device's record is the one that was expected. They come in the devices' order, so the
   * first that is still missing is looked at first.
   *
   * @throws MigrationException it is, and the device has a final record already
   */
  boolean matches(ByteBuffer bytes) {
    for (int i = 0; i < expected.size(); i++) {
      ExpectedFinal last = expected.get(i);
      if (!last.matched() && last.matches(bytes)) {
        requireFirst(!decoded.containsKey(last.net()), last.net());
        return true;
      }
    }
    return false;
  }

  /**
   * Decodes one that was not expected.
   *
   * @throws io.github.jvhost.VhostException it is damaged, or the device has one already
   */
  void take(ReceivedRecord last) {
    VhostNet net = last.net();
    for (ExpectedFinal one : expected) {
      requireFirst(!one.matched() || !one.net().equals(net), net);
    }
    VirtioNetState state = last.decoded();
    if (state.net().backEnd().isPresent()) {
      throw MigrationException.malformed(
          "the state of %s's back end in the device's record: it comes by itself"
              .formatted(net.name()));
    }
    requireFirst(decoded.put(net, state) == null, net);
  }

  private static void requireFirst(boolean isFirst, VhostNet net) {
    if (!isFirst) {
      throw MigrationException.malformed("two final records of device " + net.name());
    }
  }

  /** How many were as expected. */
  int compared() {
    int compared = 0;
    for (int i = 0; i < expected.size(); i++) {
      compared += expected.get(i).matched() ? 1 : 0;
    }
    return compared;
  }

  /** How many have arrived, each of another device. */
  int count() {
    return decoded.size() + compared();
  }

  /** Puts all of them in place. */
  void restore() {
    for (int i = 0; i < expected.size(); i++) {
      if (expected.get(i).matched()) {
        expected.get(i).restore();
      }
    }
    if (!decoded.isEmpty()) { // a walk through a map, even an empty one, makes objects
      decoded.forEach(VhostNet::restore);
    }
  }
}
