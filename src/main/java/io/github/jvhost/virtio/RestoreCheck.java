package io.github.jvhost.virtio;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/** Checks that a saved state fits a device. */
final class RestoreCheck {
  private final VirtioNet device;
  private final VirtioNetState state;

  private RestoreCheck(VirtioNet device, VirtioNetState state) {
    this.device = device;
    this.state = state;
  }

  static void check(VirtioNet device, VirtioNetState state) {
    new RestoreCheck(device, state).run();
  }

  private void run() {
    NetState net = state.net();
    CommonState common = state.common();
    if (net.maxQueuePairs() != device.maxQueuePairs()) {
      refuse(net.maxQueuePairs() + " queue pairs, this device has " + device.maxQueuePairs());
    }
    checkTransport(state.transport(), device.transport());
    long missing = common.features() & ~device.deviceFeatures();
    if (missing != 0) {
      refuse("features that this device does not offer: " + NetFeature.describe(missing));
    }
    if (common.featuresHigh() != 0) {
      refuse("features above bit 63, of which this device offers none");
    }
    checkOrder(common);
    if (net.rss().isPresent()) {
      refuse("receive-side scaling, which this device does not have");
    }
    if (net.backEnd().isPresent()) {
      refuse(
          "state of its back end: VhostNet.restore hands it on to one that takes it,"
              + " NetState.withBackEnd leaves it out");
    }
    checkQueues();
  }

  /**
   * Checks the byte order. A VERSION_1 driver is always little-endian. Without a driver the order
   * does not matter.
   */
  private void checkOrder(CommonState common) {
    boolean legacy = !NetFeature.VERSION_1.in(common.features());
    boolean big = common.endian() == CommonState.Endian.BIG;
    if (big && !(legacy && device.legacyBigEndian())) {
      refuse("a big-endian driver");
    }
    if (!big && legacy && common.status() != 0 && device.legacyBigEndian()) {
      refuse("a little-endian legacy driver, this device's are big-endian");
    }
  }

  private void checkTransport(TransportState saved, TransportState own) {
    if (!fits(saved, own)) {
      refuse(saved.describe() + ", this device is " + own.describe());
    }
  }

  /** Whether both are of the same kind and size. */
  static boolean fits(TransportState saved, TransportState own) {
    return switch (saved) {
      case TransportState.Mmio mmio ->
          own instanceof TransportState.Mmio mine && mine.modern() == mmio.modern();
      case TransportState.Pci pci ->
          own instanceof TransportState.Pci mine
              && mine.modern() == pci.modern()
              && mine.configSpace().size() == pci.configSpace().size()
              && mine.vectors() == pci.vectors();
    };
  }

  private void checkQueues() {
    long features = state.common().features();
    int expected = NetFeature.MQ.in(features) ? 2 * device.maxQueuePairs() + 1 : 3;
    if (state.queueCount() != expected) {
      refuse(state.queueCount() + " rings where its features make " + expected);
    }
    int inUse = state.net().currentQueuePairs();
    if (2 * inUse >= expected) {
      refuse(inUse + " queue pairs in use where its features make " + expected + " rings");
    }
    boolean packed = NetFeature.RING_PACKED.in(features);
    for (int i = 0; i < expected; i++) {
      int size = state.queue(i).size();
      if (size > VirtioNet.MAX_QUEUE_SIZE || (!packed && Integer.bitCount(size) != 1)) {
        refuse("ring " + i + " of " + size + " entries");
      }
      SavedQueue.Packed next = state.queue(i).packed();
      if (packed && state.queue(i).desc() != 0 && Math.max(next.avail(), next.used()) >= size) {
        refuse("ring " + i + " of " + size + " entries, which goes on beyond its end: " + next);
      }
    }
  }

  private void refuse(String what) {
    throw new VhostException(
        "restoring device " + device.name() + ": the saved state has " + what, Recovery.GIVE_UP);
  }
}
