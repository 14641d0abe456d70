package io.github.jvhost.vhost.plan;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.virtio.MacAddress;
import java.util.Optional;

/**
 * How a back end is sent what it is to hold, and what was agreed on that with it. It is asked by
 * its questions in {@link BackEndCapabilities}; only a carrier, and who compares two back ends of
 * vhost-user, look at the kinds.
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface BackEndProtocol {
  /**
   * Messages on a socket.
   *
   * @param features protocol features that were acknowledged
   * @param dialect the message numbers that the connection uses
   */
  record VhostUser(long features, Dialect dialect) implements BackEndProtocol {}

  /** The ioctls of {@code /dev/vhost-net}: the kernel moves packets between rings and a tap. */
  record VhostNet() implements BackEndProtocol {}

  /**
   * The ioctls of {@code /dev/vhost-vdpa-N}: a device works on the rings by itself.
   *
   * @param mac the address that the device was made with; empty: none
   * @param hasControlQueue whether it has a control queue that this process can use beside the
   *     guest
   * @param startsEarly whether it can be preset as with the PRESETUP message: it is started early
   *     on empty rings of ours, and suspended
   * @param maxRingSize how many entries its rings may have
   * @param maxMtu the MTU that it was made with, in bytes; 65535 if it does not say. It cannot be
   *     told another
   */
  record VhostVdpa(
      Optional<MacAddress> mac,
      boolean hasControlQueue,
      boolean startsEarly,
      int maxRingSize,
      int maxMtu)
      implements BackEndProtocol {}
}
