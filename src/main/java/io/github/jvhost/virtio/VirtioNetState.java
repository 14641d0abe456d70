package io.github.jvhost.virtio;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The saved state of a virtio-net device: all that a migration transfers for it. Immutable, and so
 * thread-safe. It is consistent: the constructor refuses a state that cannot be written into a
 * section with this offer and transport.
 *
 * @param offer what a saved device shows of the host's features
 * @param transport how the device is attached
 * @param common the part of every virtio device
 * @param net the part of virtio-net
 * @param queues by index, RX0, TX0, RX1, TX1, ..., control; trailing {@link SavedQueue#ABSENT}
 *     entries are dropped; at most {@value #MAX_QUEUES}
 */
public record VirtioNetState(
    HostOffer offer,
    TransportState transport,
    CommonState common,
    NetState net,
    List<SavedQueue> queues) {
  /** The most rings of any virtio device. */
  public static final int MAX_QUEUES = 1024;

  /** Checks that the parts match. */
  public VirtioNetState {
    Objects.requireNonNull(offer, "offer");
    Objects.requireNonNull(transport, "transport");
    Objects.requireNonNull(common, "common");
    Objects.requireNonNull(net, "net");
    queues = withoutAbsentEnd(queues);
    if (queues.size() > MAX_QUEUES) {
      throw new IllegalArgumentException(queues.size() + " rings");
    }
    if (!offer.above31() && common.features() >>> 32 != 0) {
      throw new IllegalArgumentException("features above bit 31 that the host does not offer");
    }
    if (!offer.above63() && common.featuresHigh() != 0) {
      throw new IllegalArgumentException("features above bit 63 that the host does not offer");
    }
    if (net.guestOffloads() != 0 && !NetFeature.CTRL_GUEST_OFFLOADS.in(common.features())) {
      throw new IllegalArgumentException("receive offloads without CTRL_GUEST_OFFLOADS");
    }
    int count = countLeading(queues);
    for (int i = 0; i < queues.size(); i++) {
      checkQueue(i, queues.get(i), i < count, offer, transport);
    }
  }

  /**
   * {@return the same device with another virtio-net part}
   *
   * @param newNet must match the offer and the acknowledged features
   */
  public VirtioNetState withNet(NetState newNet) {
    return new VirtioNetState(offer, transport, common, newNet, queues);
  }

  /**
   * {@return the same device with another common part}
   *
   * @param newCommon must match the offer and the virtio-net part
   */
  public VirtioNetState withCommon(CommonState newCommon) {
    return new VirtioNetState(offer, transport, newCommon, net, queues);
  }

  /**
   * {@return the same device with another ring at an index}
   *
   * @param index 0 to 1023; rings between it and the last ring are absent
   * @param queue replaces the ring at that index; must match the offer and the transport
   */
  public VirtioNetState withQueue(int index, SavedQueue queue) {
    Objects.checkIndex(index, MAX_QUEUES);
    List<SavedQueue> changed = new ArrayList<>(queues);
    while (changed.size() <= index) {
      changed.add(SavedQueue.ABSENT);
    }
    changed.set(index, queue);
    return new VirtioNetState(offer, transport, common, net, changed);
  }

  /** {@return how many rings the device has: the leading ones with a size} */
  public int queueCount() {
    return countLeading(queues);
  }

  /**
   * {@return the ring at an index; {@link SavedQueue#ABSENT} behind the last one}
   *
   * @param index 0 to 1023
   */
  public SavedQueue queue(int index) {
    Objects.checkIndex(index, MAX_QUEUES);
    return index < queues.size() ? queues.get(index) : SavedQueue.ABSENT;
  }

  private static int countLeading(List<SavedQueue> queues) {
    int count = 0;
    while (count < queues.size() && queues.get(count).size() != 0) {
      count++;
    }
    return count;
  }

  private static List<SavedQueue> withoutAbsentEnd(List<SavedQueue> queues) {
    int end = queues.size();
    while (end > 0 && queues.get(end - 1).equals(SavedQueue.ABSENT)) {
      end--;
    }
    return List.copyOf(queues.subList(0, end));
  }

  private static void checkQueue(
      int index, SavedQueue queue, boolean leading, HostOffer offer, TransportState transport) {
    String ring = "ring " + index + ": ";
    if (!leading && queue.size() != 0) {
      throw new IllegalArgumentException(ring + "has a size behind one that has none");
    }
    if (!offer.version1() && (queue.avail() != 0 || queue.used() != 0)) {
      throw new IllegalArgumentException(ring + "addresses that only VERSION_1 devices save");
    }
    if (!offer.ringPacked() && !queue.packed().equals(SavedQueue.Packed.START)) {
      throw new IllegalArgumentException(ring + "packed indexes without packed rings");
    }
    if (!transport.modern() && !queue.proxy().equals(SavedQueue.Proxy.NONE)) {
      throw new IllegalArgumentException(ring + "modern registers in a legacy transport");
    }
    if (transport instanceof TransportState.Pci && queue.align() != 0) {
      throw new IllegalArgumentException(ring + "alignment is not saved for PCI");
    }
    Ranges.checkVector(queue.vector(), transport.vectors());
  }
}
