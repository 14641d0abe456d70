package io.github.jvhost.testkit.guest;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.VirtioNet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A NIC as a VMM plugs it into one {@link TestGuest}: the device, and the wires of its rings. The
 * eventfds stay the caller's and have to stay open until the guest is closed.
 */
public final class GuestNic {
  private final VirtioNet device;
  private final List<EventFd> kicks;
  private final List<EventFd> calls;
  private final DeviceAccess access;
  private final AtomicBoolean configChanged = new AtomicBoolean();
  private volatile Runnable wakeUp = () -> {};

  /**
   * A NIC.
   *
   * @param device its registers
   * @param kicks for each data ring, by index, what the guest signals: at least 2 * max queue pairs
   *     of them
   * @param calls for each data ring, by index, what the guest is woken by, and after the 2 * max
   *     queue pairs of them the control ring's (whatever index the driver's features give to that
   *     ring)
   * @param access the way to the device's owner
   */
  public GuestNic(VirtioNet device, List<EventFd> kicks, List<EventFd> calls, DeviceAccess access) {
    this.device = device;
    this.kicks = List.copyOf(kicks);
    this.calls = List.copyOf(calls);
    this.access = access;
    int rings = 2 * device.maxQueuePairs();
    if (this.kicks.size() < rings || this.calls.size() < rings + 1) {
      throw new IllegalArgumentException(
          device.name()
              + " has up to "
              + rings
              + " data rings, but "
              + kicks.size()
              + " kicks and "
              + calls.size()
              + " calls");
    }
  }

  /**
   * The configuration interrupt: the guest looks at the device's status soon. Any thread; does not
   * block.
   */
  public void configChanged() {
    configChanged.set(true);
    wakeUp.run();
  }

  boolean takeConfigChanged() {
    return configChanged.get() && configChanged.getAndSet(false);
  }

  void onWakeUp(Runnable run) {
    wakeUp = run;
  }

  VirtioNet device() {
    return device;
  }

  DeviceAccess access() {
    return access;
  }

  EventFd kick(int ring) {
    return kicks.get(ring);
  }

  EventFd call(int ring) {
    return calls.get(ring);
  }

  EventFd controlCall() {
    return calls.get(2 * device.maxQueuePairs());
  }
}
