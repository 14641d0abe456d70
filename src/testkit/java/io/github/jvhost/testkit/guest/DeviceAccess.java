package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.VirtioNet;

/**
 * Carries the guest's accesses to a device to the device's serial owner, as a VMM does when it
 * traps a register access. The guest's thread calls it and waits for the result, as a vCPU does.
 *
 * <p>An owner that waits for {@link TestGuest#pause} must serve these calls while it waits, or the
 * pause fails at its deadline.
 */
public interface DeviceAccess {
  /**
   * Runs register accesses on the device's owner and returns when they are done. Passes on what
   * they throw.
   *
   * @param accesses what to run, once
   */
  void registers(Runnable accesses);

  /**
   * Called when the guest notified the control ring. The owner runs {@code serviceControlQueue} and
   * signals the ring's call, now or later.
   */
  void controlKick();

  /**
   * {@return the access to a device that the guest's thread owns: every call runs on that thread}
   *
   * @param device the device, whose control queue is served
   * @param memory the guest's memory
   * @param controlCall the control ring's call; it stays the caller's
   */
  static DeviceAccess direct(VirtioNet device, GuestMemory memory, EventFd controlCall) {
    return direct(device, DeviceMemory.of(memory), controlCall);
  }

  /**
   * {@return the same for a device behind an IOMMU}
   *
   * @param device the device, whose control queue is served
   * @param memory the guest's memory as the device addresses it
   * @param controlCall the control ring's call; it stays the caller's
   */
  static DeviceAccess direct(VirtioNet device, DeviceMemory memory, EventFd controlCall) {
    return new DeviceAccess() {
      @Override
      public void registers(Runnable accesses) {
        accesses.run();
      }

      @Override
      public void controlKick() {
        if (device.serviceControlQueue(memory, _ -> true) > 0) {
          controlCall.signal();
        }
      }
    };
  }
}
