package io.github.jvhost.testkit.guest;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.VirtioNet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A NIC of one {@link TestGuest}: the device and the eventfds of its rings. The eventfds stay the
 * caller's and must stay open until the guest is closed.
 */
public final class GuestNic {
  private final VirtioNet device;
  private final List<EventFd> kicks;
  private final List<EventFd> calls;
  private final DeviceAccess access;
  private final AtomicBoolean configChanged = new AtomicBoolean();
  private volatile Runnable wakeUp = () -> {};

  /**
   * Creates a NIC.
   *
   * @param device its registers
   * @param kicks the kick of each data ring, by index: at least 2 * max queue pairs of them
   * @param calls the call of each data ring, by index; behind the 2 * max queue pairs of them comes
   *     the control ring's (whatever index the driver's features give to that ring)
   * @param access carries register accesses to the device's owner
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
   * Raises the configuration interrupt: the guest will read the device's status soon. Any thread
   * may call this; it does not block.
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
