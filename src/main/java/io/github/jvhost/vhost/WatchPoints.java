package io.github.jvhost.vhost;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.plan.Carrier;
import java.util.ArrayList;
import java.util.List;

/**
 * What a watch polls for one device.
 *
 * @param connection the socket; -1: none
 * @param events what to poll it for besides its hang-up: nothing, because plans read the answers;
 *     input, if something was sent outside of a plan and is not acknowledged yet
 * @param readable what to poll for input: the back end's own channel, the err eventfds
 */
record WatchPoints(int connection, int events, List<Integer> readable) {
  static final WatchPoints NONE = new WatchPoints(-1, 0, List.of());

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
    int events = carrier.wantsLook() ? Poller.IN : 0;
    return new WatchPoints(carrier.number(), events, List.copyOf(readable));
  }
}
