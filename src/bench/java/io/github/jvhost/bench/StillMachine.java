package io.github.jvhost.bench;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Guest memory, and in it the rings of devices, as drivers leave them; no guest runs. Back ends can
 * be connected to it again and again. One thread at a time.
 *
 * <pre>
 *   0        RINGS_AT                                                        size
 *   | 0x5a... | ring 0: desc, avail, used; a page each | ring 1 | ... | 0x5a... |
 * </pre>
 */
final class StillMachine implements AutoCloseable {
  private static final int RING_ENTRIES = 256;
  static final long RINGS_AT = 1 << 20;
  private static final long PAGE = 4096;
  private static final long RING_BYTES = 3 * PAGE;

  /**
   * Offset of the index in a split ring's available and used part (virtio 1.2, 2.7.6 and 2.7.8).
   */
  private static final int INDEX = 2;

  private static final short PROGRESS = 80;

  /** What guest memory is full of: anything but zeros, which a kernel may not have to keep. */
  private static final byte FILL = 0x5a;

  private final Shape shape;
  private final DescriptorLedger ledger;
  private final GuestMemory memory;
  private final Iommu iommu;
  private final List<List<RingEventfds>> eventfds = new ArrayList<>();

  /**
   * How large it is.
   *
   * @param devices 1 or more
   * @param pairs queue pairs of each, all in use
   * @param memoryBytes of the guest, room for 1 MiB and 12 KiB a ring at least
   */
  record Shape(int devices, int pairs, long memoryBytes) {
    int rings() {
      return devices * 2 * pairs;
    }
  }

  StillMachine(Shape shape, DescriptorLedger ledger) {
    this(shape, Iommu.NONE, ledger);
  }

  /** One whose devices are behind an IOMMU, where the rings' addresses are guest addresses too. */
  StillMachine(Shape shape, Iommu iommu, DescriptorLedger ledger) {
    this.shape = shape;
    this.iommu = iommu;
    this.ledger = ledger;
    memory = GuestMemory.builder(ledger).region("ram", 0, shape.memoryBytes()).build();
    for (int i = 0; i < shape.devices(); i++) {
      eventfds.add(RingEventfds.create(ledger, name(i), 2 * shape.pairs()));
    }
  }

  /** The file of guest memory. This object keeps it. */
  OwnedDescriptor memoryFile() {
    return memory.table().regions().getFirst().file();
  }

  private static String name(int device) {
    return "net" + device;
  }

  /**
   * Writes every byte of memory. The rings have got on then: what the driver made available was
   * used, and nothing is in flight.
   */
  void writeMemory() {
    memory.slice(0, memory.totalBytes()).fill(FILL);
    memory.slice(RINGS_AT, ringBytes()).fill((byte) 0);
    for (int i = 0; i < shape.rings(); i++) {
      long at = RINGS_AT + i * RING_BYTES;
      memory.putShort(at + PAGE + INDEX, PROGRESS);
      memory.putShort(at + 2 * PAGE + INDEX, PROGRESS);
    }
  }

  /** How many bytes from {@link #RINGS_AT} on rings have. */
  long ringBytes() {
    return shape.rings() * RING_BYTES;
  }

  GuestMemory memory() {
    return memory;
  }

  /**
   * Connects fresh devices to these back ends.
   *
   * @param sockets one a device
   * @return the caller closes them
   */
  List<VhostNet> connect(List<Path> sockets, Dialect dialect, BackEndProfile profile) {
    List<VhostNet> nets = new ArrayList<>(shape.devices());
    var seen = new DeviceMemory(memory, iommu);
    long platform = seen.translated() ? NetFeature.ACCESS_PLATFORM.mask() : 0;
    long offer = VirtioNetBuilder.DEFAULT_FEATURES | platform;
    try {
      for (int i = 0; i < shape.devices(); i++) {
        var options = VhostDeviceOptions.of(name(i), sockets.get(i), dialect, profile, ledger);
        VirtioNet model =
            VirtioNet.builder(name(i)).maxQueuePairs(shape.pairs()).deviceFeatures(offer).build();
        nets.add(VhostNet.connect(model, seen, eventfds.get(i), options));
      }
      return nets;
    } catch (RuntimeException e) {
      nets.forEach(VhostNet::close);
      throw e;
    }
  }

  /**
   * What a driver leaves in a device that it has set up and made live.
   *
   * @param device its number; its features are what its back end has left of them
   */
  VirtioNetState live(VhostNet net, int device) {
    VirtioNet model =
        VirtioNet.builder(net.name())
            .maxQueuePairs(shape.pairs())
            .deviceFeatures(net.model().deviceFeatures())
            .build();
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    model.setStatus(driver);
    model.setDriverFeatures(model.deviceFeatures());
    model.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int i = 0; i < 2 * shape.pairs(); i++) {
      long at = RINGS_AT + (2L * shape.pairs() * device + i) * RING_BYTES;
      model.configureQueue(i, RING_ENTRIES, at, at + PAGE, at + 2 * PAGE);
    }
    model.setStatus(driver | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK);
    VirtioNetState state = model.snapshot();
    return state.withNet(state.net().withQueuePairs(shape.pairs()));
  }

  /** The same once the rings have got on as {@link #writeMemory} says. */
  static VirtioNetState later(VirtioNetState state) {
    VirtioNetState moved = state;
    for (int i = 0; i < state.queueCount(); i++) {
      SavedQueue queue = state.queue(i);
      moved = queue.desc() == 0 ? moved : moved.withQueue(i, queue.withNext(PROGRESS));
    }
    return moved;
  }

  /** Closes memory and eventfds; the connections are their own. */
  @Override
  public void close() {
    eventfds.forEach(rings -> rings.forEach(RingEventfds::close));
    memory.close();
  }
}
