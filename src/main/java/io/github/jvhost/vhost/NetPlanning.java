package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What planning for a virtio-net device needs besides the planner, for tools that plan without a
 * connection to a back end. {@link VhostNet} does all this by itself.
 *
 * <p>Thread-safe; only the model's owner may pass it.
 */
public final class NetPlanning {
  private NetPlanning() {}

  /**
   * Limits what a device offers its driver to what the back end can do, as {@link VhostNet#connect}
   * does.
   *
   * @param model of the device, before its driver reads the offer
   * @param name of the device, for messages
   * @param can what the back end can do
   * @param backEnd the back end's name in messages: "the back end"
   * @throws VhostException (GIVE_UP) if the device has more queue pairs, larger rings or a larger
   *     MTU than the back end serves, or another address, or its driver has acknowledged what the
   *     back end lacks
   */
  public static void limit(VirtioNet model, String name, BackEndCapabilities can, String backEnd) {
    if (model.maxQueuePairs() > can.maxQueuePairs()) {
      throw new VhostException(
          "%s: the device has %d queue pairs, %s serves %d"
              .formatted(name, model.maxQueuePairs(), backEnd, can.maxQueuePairs()),
          Recovery.GIVE_UP);
    }
    requireRingSize(name, 0, model.maxRingSize(0), can, backEnd); // the others are like it
    if (NetFeature.MTU.in(model.deviceFeatures()) && model.mtu() > can.maxMtu()) {
      throw new VhostException(
          "%s: the device shows its driver an MTU of %d, %s has %d: give the device that (VirtioNetBuilder.mtu), or make the vDPA device with a larger one (vdpa dev add ... mtu)"
              .formatted(name, model.mtu(), backEnd, can.maxMtu()),
          Recovery.GIVE_UP);
    }
    requireAddress(name, model.mac(), can, backEnd, "the device has");
    if (can.profile().stopsWholeDevice()) {
      // The reset of one ring would stop all rings, and their requests would be lost.
      model.withholdFeatures(NetFeature.RING_RESET.mask());
    }
    model.withholdFeatures(can.uncontrolled());
    limitFeatures(model, can.features());
  }

  /**
   * Checks that a back end can serve a device with this address.
   *
   * @param whose who has the address, with its verb: "the device has"
   * @throws VhostException (GIVE_UP) if it cannot
   */
  static void requireAddress(
      String name, MacAddress address, BackEndCapabilities can, String backEnd, String whose) {
    MacAddress only = can.fixedMac().orElse(address);
    if (!only.equals(address)) {
      throw new VhostException(
          "%s: %s the address %s, %s has %s and cannot be told another: give the device that (VirtioNetBuilder.mac), or make the vDPA device with the other (vdpa dev add ... mac)"
              .formatted(name, whose, address, backEnd, only),
          Recovery.GIVE_UP);
    }
  }

  /**
   * Checks that a back end serves a ring of this size.
   *
   * @throws VhostException (GIVE_UP) if it does not
   */
  static void requireRingSize(
      String name, int ring, int entries, BackEndCapabilities can, String backEnd) {
    if (entries > can.maxRingSize()) {
      throw new VhostException(
          "%s: ring %d has up to %d entries, %s takes %d at most: give the device smaller rings (VirtioNetBuilder.queueSize, QEMU's rx_queue_size and tx_queue_size)"
              .formatted(name, ring, entries, backEnd, can.maxRingSize()),
          Recovery.GIVE_UP);
    }
  }

  /**
   * Limits the offer. ACCESS_PLATFORM stays: where no IOMMU stands behind the device, its back end
   * need not know the feature; where one does, {@link BackEndCapabilities#translates} is asked.
   */
  static void limitFeatures(VirtioNet model, long offered) {
    model.limitFeatures(offered | NetFeature.ACCESS_PLATFORM.mask());
  }

  /**
   * {@return what a back end is to hold while the guest runs, with no dirty log and no in-flight
   * region} Guest memory is not read: the used index of each ring is left out.
   *
   * @param name of the device, for messages
   * @param model of the device, in the state in which it is to run
   * @param memory laid out as the guest's
   * @param eventfds by vring index, two for each queue pair
   * @param can what the back end can do
   * @param generation of an early configuration, else 0
   * @throws VhostException (GIVE_UP) if a ring lies outside of guest memory
   */
  public static DeviceConfig running(
      String name,
      VirtioNet model,
      GuestMemory memory,
      List<RingEventfds> eventfds,
      BackEndCapabilities can,
      int generation) {
    DeviceMemory seen = DeviceMemory.of(memory);
    return new NetConfiguration(
            name, new DeviceTranslations(name, seen), new EventfdTable(eventfds))
        .of(model, new NetConfiguration.Setting(can, null, null, generation, false));
  }

  /**
   * {@return why the back end of a device in this state is not preset; empty if it is}
   *
   * @param device its model
   */
  public static String whyNotPreset(VirtioNet device) {
    if ((device.status() & DeviceStatus.DRIVER_OK) == 0) {
      return "the driver is not ready";
    }
    if (IntStream.range(0, 2 * device.backEndQueuePairs()).noneMatch(device::isSetUp)) {
      return "the driver has set up no ring";
    }
    return device.linkUp() ? "" : "the link is down";
  }
}
