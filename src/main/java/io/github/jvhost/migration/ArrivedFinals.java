package io.github.jvhost.migration;

import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.KnownBody;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The states of the final records that have arrived. For one thread. */
final class ArrivedFinals {
  private final Map<VhostNet, VirtioNetState> states = new LinkedHashMap<>();

  /**
   * Takes a record.
   *
   * @param early the device's early body; null: there is none
   * @throws io.github.jvhost.VhostException it is damaged, or the device has one already
   */
  void take(ReceivedRecord last, @Nullable KnownBody early) {
    VhostNet net = last.net();
    VirtioNetState state = early == null ? last.decoded() : last.decodedBy(early);
    if (state.net().backEnd().isPresent()) {
      throw MigrationException.malformed(
          "the state of %s's back end in the device's record: it comes by itself"
              .formatted(net.name()));
    }
    if (states.put(net, state) != null) {
      throw MigrationException.malformed("two final records of device " + net.name());
    }
  }

  /** How many have arrived, each of another device. */
  int count() {
    return states.size();
  }

  /** Puts all of them in place. */
  void restore() {
    states.forEach(VhostNet::restore);
  }
}
