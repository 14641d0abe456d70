package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes the desired configuration of a running device from its model, guest memory and the ring
 * eventfds.
 *
 * @param name of the device, for errors
 * @param memory the guest's
 * @param eventfds by vring index
 */
record NetConfiguration(String name, GuestMemory memory, EventfdTable eventfds) {
  /** Offset of the index in a split used ring (virtio 1.2, 2.7.8). */
  private static final int USED_INDEX = 2;

  /** Offset of the index in a split available ring (virtio 1.2, 2.7.6). */
  private static final int AVAILABLE_INDEX = 2;

  /** What a back end is sent where kicks and calls go as messages. */
  private static final RingEventfd IN_BAND = new RingEventfd.NoFd();

  /**
   * What the configuration depends on besides the model.
   *
   * @param capabilities of the back end
   * @param log where dirty pages go; null: nowhere
   * @param inflight the region in which back ends record requests in flight; null: none yet
   * @param generation of an early configuration, else 0
   * @param memoryComplete whether guest memory is complete and may be read
   */
  record Setting(
      BackEndCapabilities capabilities,
      @Nullable DirtyLog log,
      @Nullable InflightRegion inflight,
      int generation,
      boolean memoryComplete) {}

  /**
   * Returns what the back end is to hold while the guest runs.
   *
   * @throws VhostException if a ring lies outside of guest memory
   */
  DeviceConfig of(VirtioNet model, Setting setting) {
    boolean packed = model.packed();
    int pairs = model.backEndQueuePairs();
    DirtyLog log = setting.log();
    List<RingConfig> rings = new ArrayList<>(2 * pairs);
    for (int i = 0; i < 2 * pairs; i++) {
      boolean enabled = i < 2 * model.currentQueuePairs();
      rings.add(ring(i, model, packed, enabled, setting));
    }
    return new DeviceConfig(
        DeviceConfig.Lifecycle.RUNNING,
        Planner.withVhostBits(model.backEndFeatures(), setting.capabilities(), log != null),
        NetFeature.MTU.in(model.driverFeatures()) ? model.mtu() : null,
        memory.table(),
        log == null ? null : new LogTarget(log.descriptor(), log.size()),
        rings,
        setting.inflight(),
        bigEndianRings(model) ? ByteOrder.BIG_ENDIAN : null,
        setting.generation());
  }

  private static boolean bigEndianRings(VirtioNet model) {
    return model.legacyBigEndian() && !NetFeature.VERSION_1.in(model.driverFeatures());
  }

  /** The used index in guest memory, 0 to 65535. Split rings only. */
  int usedIndex(VirtioNet model, int ring) {
    return usedIndex(memory, model.usedRing(ring), bigEndianRings(model));
  }

  /** Whether there is guest memory where {@link #usedIndex} reads. */
  boolean hasUsedIndex(VirtioNet model, int ring) {
    return memory.table().contains(model.usedRing(ring) + USED_INDEX, Short.BYTES);
  }

  /** Whether there is guest memory where {@link #availableIndex} reads. */
  boolean hasAvailableIndex(VirtioNet model, int ring) {
    return memory.table().contains(model.availableRing(ring) + AVAILABLE_INDEX, Short.BYTES);
  }

  /** The available index in guest memory, 0 to 65535. Split rings only. */
  int availableIndex(VirtioNet model, int ring) {
    short index = memory.getShortAcquire(model.availableRing(ring) + AVAILABLE_INDEX);
    return (bigEndianRings(model) ? Short.reverseBytes(index) : index) & 0xffff;
  }

  static int usedIndex(GuestMemory memory, long usedRing, boolean bigEndian) {
    short index = memory.getShort(usedRing + USED_INDEX);
    return (bigEndian ? Short.reverseBytes(index) : index) & 0xffff;
  }

  private RingConfig ring(
      int index, VirtioNet model, boolean packed, boolean enabled, Setting setting) {
    QueueState queue = model.queue(index);
    if (!queue.isSetUp()) {
      return RingConfig.NOT_SET_UP;
    }
    checkExtent(index, queue, packed);
    Integer usedIndex = null;
    if (setting.memoryComplete() && !packed) {
      usedIndex = usedIndex(model, index);
    }
    RingEventfds eventfd = eventfds.get(index);
    boolean inBand = setting.capabilities().notifiesInBand();
    EventFd err = eventfd.err();
    return new RingConfig(
        queue.size(),
        new RingAddresses(queue.desc(), queue.used(), queue.avail()),
        queue.next().toVhostBase(),
        usedIndex,
        inBand ? IN_BAND : new RingEventfd.Fd(eventfd.kick().descriptor()),
        inBand ? IN_BAND : new RingEventfd.Fd(eventfd.call().descriptor()),
        err == null ? null : new RingEventfd.Fd(err.descriptor()),
        enabled,
        setting.log() != null);
  }

  /**
   * The failure of a ring that no back end can serve, because its driver put it where there is no
   * guest memory; null if all rings can be served.
   *
   * @throws IllegalStateException if guest memory is closed, which is not the driver's fault
   */
  @Nullable VhostException ringOutside(VirtioNet model) {
    if (!memory.isOpen()) {
      throw new IllegalStateException(name + ": its guest memory is closed");
    }
    for (int i = 0; i < 2 * model.backEndQueuePairs(); i++) {
      QueueState queue = model.queue(i);
      try {
        if (queue.isSetUp()) {
          checkExtent(i, queue, model.packed());
        }
      } catch (VhostException e) {
        return e;
      }
    }
    return null;
  }

  /** Checks that each part of a ring lies in one region, because a guest may set any address. */
  private void checkExtent(int index, QueueState queue, boolean packed) {
    try {
      long entries = queue.size();
      memory.table().userAddressOf(queue.desc(), 16 * entries);
      memory.table().userAddressOf(queue.avail(), packed ? 4 : 6 + 2 * entries);
      memory.table().userAddressOf(queue.used(), packed ? 4 : 6 + 8 * entries);
    } catch (VhostException e) {
      throw new VhostException(
          "%s: ring %d lies outside of guest memory: %s".formatted(name, index, e.getMessage()),
          Recovery.GIVE_UP,
          e);
    }
  }
}
