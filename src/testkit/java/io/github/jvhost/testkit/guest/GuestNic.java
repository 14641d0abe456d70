package io.github.jvhost.testkit.guest;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.VirtioNet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A NIC of one {@link TestGuest}: the device and the eventfds of its rings. The eventfds stay the
 * caller's and must stay open until the guest is closed.
 */
public final class GuestNic {
  private final VirtioNet device;
  private final List<EventFd> kicks;
  private final List<EventFd> calls;
  private final DeviceAccess access;
  private final @Nullable GuestIommu iommu;
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
    this(device, kicks, calls, access, null);
  }

  /**
   * Creates a NIC behind an IOMMU.
   *
   * @param device its registers; it offers ACCESS_PLATFORM
   * @param kicks as above
   * @param calls as above
   * @param access carries register accesses to the device's owner
   * @param iommu for the driver's mappings, if the {@link GuestSettings#dma} of the guest has some;
   *     may be shared with other NICs whose I/O virtual addresses are the same ones. Null if the
   *     driver makes none
   */
  public GuestNic(
      VirtioNet device,
      List<EventFd> kicks,
      List<EventFd> calls,
      DeviceAccess access,
      @Nullable GuestIommu iommu) {
    this.device = device;
    this.kicks = List.copyOf(kicks);
    this.calls = List.copyOf(calls);
    this.access = access;
    this.iommu = iommu;
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

  @Nullable GuestIommu iommu() {
    return iommu;
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
