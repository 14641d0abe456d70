package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Shadow;
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
 * @param translations which the back end is to have, and guest memory under the device's addresses
 * @param eventfds by vring index
 */
record NetConfiguration(String name, DeviceTranslations translations, EventfdTable eventfds) {
  /** Offset of the index in a split used ring (virtio 1.2, 2.7.8). */
  private static final int USED_INDEX = 2;

  /** Offset of the index in a split available ring (virtio 1.2, 2.7.6). */
  private static final int AVAILABLE_INDEX = 2;

  /** What a back end is sent where kicks and calls go as messages. */
  private static final RingEventfd IN_BAND = new RingEventfd.NoFd();

  /** Guest memory under the device's addresses. */
  private DeviceMemory memory() {
    return translations.memory();
  }

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
   * @throws VhostException if a ring lies outside of guest memory, or is too large for the back end
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
        Planner.withVhostBits(
            features(model, setting.capabilities()), setting.capabilities(), log != null),
        NetFeature.MTU.in(model.driverFeatures()) ? model.mtu() : null,
        memory().guest().table(),
        log == null ? null : new LogTarget(log.descriptor(), log.size()),
        rings,
        setting.inflight(),
        memory().translated() ? translations(model, rings, setting.memoryComplete()) : null,
        bigEndianRings(model) ? ByteOrder.BIG_ENDIAN : null,
        setting.capabilities().commands() == 0 ? null : model.controlState(),
        setting.generation());
  }

  /** What the driver has acknowledged. A back end need not know of an IOMMU that is not there. */
  private long features(VirtioNet model, BackEndCapabilities can) {
    long features = model.backEndFeatures() | (model.driverFeatures() & can.commands());
    return memory().translated() ? features : features & ~NetFeature.ACCESS_PLATFORM.mask();
  }

  /**
   * Returns the translations that the back end is to have once a device runs, none without an
   * IOMMU; null if a ring cannot be served now.
   */
  @Nullable List<Translation> translations(VirtioNet model, BackEndCapabilities can) {
    List<DeviceTranslations.Area> areas = new ArrayList<>();
    for (int i = 0; memory().translated() && i < 2 * model.backEndQueuePairs(); i++) {
      QueueState queue = model.queue(i);
      if (queue.isSetUp()) {
        if (!canServe(i, queue, model.packed(), can)) {
          return null;
        }
        areas.addAll(areas(queue, model.packed()));
      }
    }
    return memory().translated() ? translations.desired(areas, true) : List.of();
  }

  private List<Translation> translations(
      VirtioNet model, List<RingConfig> rings, boolean complete) {
    List<DeviceTranslations.Area> areas = new ArrayList<>();
    for (int i = 0; i < rings.size(); i++) {
      if (rings.get(i).isSetUp()) {
        areas.addAll(areas(model.queue(i), model.packed()));
      }
    }
    return translations.desired(areas, complete);
  }

  private static boolean bigEndianRings(VirtioNet model) {
    return model.legacyBigEndian() && !NetFeature.VERSION_1.in(model.driverFeatures());
  }

  /**
   * The used index in guest memory, 0 to 65535; null if there is no memory, or if the guest has
   * unmapped it. Split rings only.
   */
  @Nullable Integer usedIndex(VirtioNet model, int ring) {
    try {
      return usedIndex(memory(), model.usedRing(ring), bigEndianRings(model));
    } catch (GuestAddressException e) {
      return null;
    }
  }

  /** The same for the available index. */
  @Nullable Integer availableIndex(VirtioNet model, int ring) {
    try {
      short index = memory().getShortAcquire(model.availableRing(ring) + AVAILABLE_INDEX);
      return (bigEndianRings(model) ? Short.reverseBytes(index) : index) & 0xffff;
    } catch (GuestAddressException e) {
      return null;
    }
  }

  static int usedIndex(DeviceMemory memory, long usedRing, boolean bigEndian) {
    short index = memory.getShort(usedRing + USED_INDEX);
    return (bigEndian ? Short.reverseBytes(index) : index) & 0xffff;
  }

  private RingConfig ring(
      int index, VirtioNet model, boolean packed, boolean enabled, Setting setting) {
    QueueState queue = model.queue(index);
    if (!queue.isSetUp()) {
      return RingConfig.NOT_SET_UP;
    }
    NetPlanning.requireRingSize(name, index, queue.size(), setting.capabilities(), "the back end");
    if (!memory().translated()) {
      checkExtent(index, queue, packed);
    } else if (setting.memoryComplete()
        && !canServe(index, queue, packed, setting.capabilities())) {
      return RingConfig.NOT_SET_UP; // it is started when the guest maps it
    }
    Integer usedIndex = null;
    if (setting.memoryComplete() && !packed) {
      usedIndex = usedIndex(model, index);
      if (usedIndex == null) {
        return RingConfig.NOT_SET_UP; // the guest has unmapped it since the look before
      }
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
    if (!memory().guest().isOpen()) {
      throw new IllegalStateException(name + ": its guest memory is closed");
    }
    if (memory().translated()) {
      return null; // what the guest has not mapped is not started, and may be mapped later
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

  /** The three parts of a ring. */
  static List<DeviceTranslations.Area> areas(QueueState queue, boolean packed) {
    long entries = queue.size();
    return List.of(
        new DeviceTranslations.Area(queue.desc(), 16 * entries),
        new DeviceTranslations.Area(queue.avail(), packed ? 4 : 6 + 2 * entries),
        new DeviceTranslations.Area(queue.used(), packed ? 4 : 6 + 8 * entries));
  }

  /** Whether the IOMMU translates a ring by now that the back end does not serve. */
  boolean someRingWaits(VirtioNet model, Shadow held, BackEndCapabilities can) {
    for (int i = 0; i < 2 * model.backEndQueuePairs(); i++) {
      QueueState queue = model.queue(i);
      if (queue.isSetUp()
          && held.ring(i).run() == RingShadow.Run.STOPPED
          && canServe(i, queue, model.packed(), can)) {
        return true;
      }
    }
    return false;
  }

  /** Whether a ring behind an IOMMU can be set up at this back end now. */
  private boolean canServe(int index, QueueState queue, boolean packed, BackEndCapabilities can) {
    boolean joins = can.profile().joinsAdjoiningTranslations();
    return translations.canServe(index, areas(queue, packed), joins);
  }

  /** Checks that each part of a ring lies in one region, because a guest may set any address. */
  private void checkExtent(int index, QueueState queue, boolean packed) {
    try {
      for (DeviceTranslations.Area area : areas(queue, packed)) {
        memory().guest().table().userAddressOf(area.first(), area.length());
      }
    } catch (GuestAddressException e) {
      throw new VhostException(
          "%s: ring %d lies outside of guest memory: %s".formatted(name, index, e.getMessage()),
          Recovery.GIVE_UP,
          e);
    }
  }
}
