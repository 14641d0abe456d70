package io.github.jvhost.vhost;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.Carrier;
import java.util.ArrayList;
import java.util.List;

/**
 * What a watch polls for one device.
 *
 * @param connection the socket, for its hang-up only, because plans read the answers; -1: none
 * @param readable what to poll for input: the back end's own channel, the err eventfds
 */
record WatchPoints(int connection, List<Integer> readable) {
  static final WatchPoints NONE = new WatchPoints(-1, List.of());

  static WatchPoints of(Carrier carrier, EventfdTable eventfds) {
    List<Integer> readable = new ArrayList<>();
    if (carrier.backEndNumber() >= 0) {
      readable.add(carrier.backEndNumber());
    }
    for (int ring = 0; ring < eventfds.size(); ring++) {
      EventFd err = eventfds.get(ring).err();
      if (err != null) {
        readable.add(err.descriptor().number());
      }
    }
    return new WatchPoints(carrier.number(), List.copyOf(readable));
  }
}
