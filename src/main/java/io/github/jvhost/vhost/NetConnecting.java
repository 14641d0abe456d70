package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/**
 * Connects a virtio-net device to its back end. It checks the embedder's arguments before it
 * connects, and withdraws from the model's offer what the back end cannot do.
 */
final class NetConnecting {
  private NetConnecting() {}

  /**
   * Refuses wrong arguments before anything is connected.
   *
   * @throws IllegalArgumentException if there are not enough eventfds, or the model offers what
   *     cannot be served
   * @throws IllegalStateException if the memory is closed or has no region
   */
  static void check(
      VirtioNet model,
      DeviceMemory memory,
      List<RingEventfds> eventfds,
      VhostDeviceOptions options) {
    Objects.requireNonNull(model, "model");
    Objects.requireNonNull(memory, "memory");
    Objects.requireNonNull(eventfds, "eventfds");
    Objects.requireNonNull(options, "options");
    eventfds.forEach(ring -> Objects.requireNonNull(ring, "a ring's eventfds"));
    if (eventfds.size() < 2 * model.maxQueuePairs()) {
      throw new IllegalArgumentException(
          "%s: %d ring eventfds for %d queue pairs: each pair needs two, to receive and to send"
              .formatted(options.name(), eventfds.size(), model.maxQueuePairs()));
    }
    if (memory.translated() && !NetFeature.ACCESS_PLATFORM.in(model.deviceFeatures())) {
      throw new IllegalArgumentException(
          options.name()
              + ": an IOMMU stands behind the device, and its model does not offer ACCESS_PLATFORM:"
              + " its driver would not use it");
    }
    if (!memory.guest().isOpen()) {
      throw new IllegalStateException(options.name() + ": its guest memory is closed");
    }
    if (memory.guest().table().regions().isEmpty()) {
      throw new IllegalStateException(options.name() + ": its guest memory has no region");
    }
  }

  /** Connects; a call that comes as a message signals the ring's eventfd. */
  static Carrier open(
      EventfdTable eventfds, VhostDeviceOptions options, DeviceTranslations translations) {
    return Carriers.open(
        options,
        ring -> {
          if (ring < eventfds.size()) {
            eventfds.get(ring).call().signal();
          }
        },
        translations);
  }

  /**
   * Connects, and limits the model's offer to what the back end can do.
   *
   * @param calls makes the calls of the observer
   * @param translations of the device
   * @throws VhostException if it cannot serve the device; it is not connected then
   */
  static VhostDevice connect(
      VirtioNet model,
      VhostDeviceOptions options,
      Supplier<Carrier> carriers,
      Executor calls,
      DeviceTranslations translations) {
    VhostDevice device = VhostDevice.over(options, carriers, calls, translations::takeSent);
    try {
      if (translations.memory().translated() && !device.capabilities().translates()) {
        throw new VhostException(
            "%s: the back end is of no use: %s"
                .formatted(options.name(), NetNeeds.WHY_NOT_TRANSLATED),
            Recovery.GIVE_UP);
      }
      NetPlanning.limit(model, options.name(), device.capabilities(), "the back end");
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
    return device;
  }
}
