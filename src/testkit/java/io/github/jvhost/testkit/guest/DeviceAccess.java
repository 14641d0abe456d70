package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.VirtioNet;

/**
 * How the guest's accesses to a device reach the device's serial owner: the part that trapping a
 * register access plays in a VMM. The guest's thread calls it and is held up meanwhile, as a vCPU
 * is.
 *
 * <p>An owner that waits for {@link TestGuest#pause} must go on serving these calls while it waits,
 * or the pause ends at its deadline.
 */
public interface DeviceAccess {
  /**
   * Runs register accesses on the device's owner and returns when they are done; what they throw is
   * thrown here.
   *
   * @param accesses what to run, once
   */
  void registers(Runnable accesses);

  /**
   * The guest notified the control ring: have {@code serviceControlQueue} run and the ring's call
   * signalled, now or later.
   */
  void controlKick();

  /**
   * {@return the way to a device that the guest's thread owns: everything happens in place}
   *
   * @param device whose control queue is served
   * @param memory where it is
   * @param controlCall the control ring's call; not taken over
   */
  static DeviceAccess direct(VirtioNet device, GuestMemory memory, EventFd controlCall) {
    return new DeviceAccess() {
      @Override
      public void registers(Runnable accesses) {
        accesses.run();
      }

      @Override
      public void controlKick() {
        if (device.serviceControlQueue(memory) > 0) {
          controlCall.signal();
        }
      }
    };
  }
}
