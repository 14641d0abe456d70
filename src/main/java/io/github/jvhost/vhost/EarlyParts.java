package io.github.jvhost.vhost;

import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.Notifier;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import java.util.List;

/**
 * Which parts of a ring are told early, and do not change afterwards: the table of {@link
 * EarlyConfiguration}, asked with a ring that has everything. For tools that explain or estimate.
 *
 * <p>The base is not among them. Where it is told early it is the one that was saved, and the ring
 * went on since.
 *
 * @param size SET_VRING_NUM
 * @param address SET_VRING_ADDR
 * @param kick SET_VRING_KICK, with the descriptor that counts
 * @param call SET_VRING_CALL, likewise
 */
public record EarlyParts(boolean size, boolean address, boolean kick, boolean call) {

  /** {@return what is told early with the PRESETUP message} */
  public static EarlyParts explicit() {
    try (EventFd event = EventFd.create(DescriptorLedger.counting(), "example")) {
      return of(EarlyConfiguration.explicit(complete(new Notifier.Eventfd(event.descriptor()))));
    }
  }

  /**
   * {@return what is told early without the PRESETUP message}
   *
   * @param capabilities of the back end: whether it holds its rings decides how much it is told
   */
  public static EarlyParts implicit(BackEndCapabilities capabilities) {
    try (EventFd event = EventFd.create(DescriptorLedger.counting(), "example")) {
      return of(
          EarlyConfiguration.implicit(
              complete(new Notifier.Eventfd(event.descriptor())), capabilities));
    }
  }

  private static DeviceConfig complete(Notifier notifier) {
    var ring =
        new RingConfig(
            256, new RingAddresses(0, 4096, 8192), 1, 1, notifier, notifier, true, false);
    return new DeviceConfig(Lifecycle.RUNNING, 0, null, MemoryTable.EMPTY, null, List.of(ring), 0);
  }

  private static EarlyParts of(DeviceConfig early) {
    RingConfig ring = early.rings().getFirst();
    return new EarlyParts(
        ring.size() != null,
        ring.addresses() != null,
        ring.kick() instanceof Notifier.Eventfd,
        ring.call() instanceof Notifier.Eventfd);
  }
}
