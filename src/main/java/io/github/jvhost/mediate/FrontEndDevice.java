package io.github.jvhost.mediate;

import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The device as its front end has described it so far, message by message. {@link #desired} makes
 * of it what the switch is to hold. A value that the front end sends again replaces the earlier
 * one: its messages are state here, and not commands.
 *
 * <p>It owns the descriptors that came with the messages. What is replaced may still be named by a
 * plan that is under way, so it is put aside until {@link #closeReplaced}. One thread at a time.
 */
final class FrontEndDevice implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(FrontEndDevice.class);

  private final GuestMap memory = new GuestMap();
  private final List<FrontEndRing> rings = new ArrayList<>();
  private final List<OwnedDescriptor> replaced = new ArrayList<>();
  private long features;
  private @Nullable Integer mtu;
  private @Nullable LogTarget dirtyLog;
  private int status;
  private @Nullable InflightRegion inflight;

  /** One of the three eventfds of a ring. */
  enum Signal {
    KICK,
    CALL,
    ERR
  }

  GuestMap memory() {
    return memory;
  }

  /** {@return the rings that were described, by vring index} */
  List<FrontEndRing> rings() {
    return rings;
  }

  long features() {
    return features;
  }

  @Nullable Integer mtu() {
    return mtu;
  }

  @Nullable LogTarget dirtyLog() {
    return dirtyLog;
  }

  int status() {
    return status;
  }

  /** {@return whether writes are to be logged} */
  boolean logs() {
    return (features & VhostFeature.LOG_ALL) != 0;
  }

  boolean isPacked() {
    return NetFeature.RING_PACKED.in(features);
  }

  void features(long acknowledged) {
    features = acknowledged;
  }

  void mtu(int bytes) {
    mtu = bytes;
  }

  void status(int byteOfStatus) {
    status = byteOfStatus;
  }

  /** Takes the log over. */
  void dirtyLog(LogTarget target) {
    if (dirtyLog != null) {
      replaced.add(dirtyLog.descriptor());
    }
    dirtyLog = target;
  }

  /**
   * Keeps the region in which the switch records requests in flight, because the next switch goes
   * on with them.
   *
   * @param region taken over; null: there are no requests in flight
   */
  void inflight(@Nullable InflightRegion region) {
    if (inflight != null) {
      replaced.add(inflight.file());
    }
    inflight = region;
  }

  /** Keeps such a region in place of the one before, if there is another one. */
  void keepInflight(@Nullable InflightRegion made) {
    if (made != null) {
      inflight(made);
    }
  }

  @Nullable InflightRegion inflight() {
    return inflight;
  }

  /** Files that the memory does not need any more. */
  void putAside(List<OwnedDescriptor> unused) {
    replaced.addAll(unused);
  }

  /** {@return the ring of this index, which is made if it was not described before} */
  FrontEndRing ring(int index) {
    while (rings.size() <= index) {
      rings.add(new FrontEndRing());
    }
    return rings.get(index);
  }

  void size(int ring, int entries) {
    ring(ring).size = entries;
  }

  void address(int ring, VringAddress where) {
    ring(ring).address = where;
  }

  void base(int ring, int base) {
    ring(ring).base = base;
  }

  void enabled(int ring, boolean now) {
    ring(ring).enabled = now;
  }

  /** Takes an eventfd over. */
  void signal(int index, Signal which, RingEventfd eventfd) {
    FrontEndRing ring = ring(index);
    RingEventfd before =
        switch (which) {
          case KICK -> ring.kick;
          case CALL -> ring.call;
          case ERR -> ring.err;
        };
    if (before instanceof RingEventfd.Fd(OwnedDescriptor descriptor)) {
      replaced.add(descriptor);
    }
    switch (which) {
      case KICK -> ring.kick = eventfd;
      case CALL -> ring.call = eventfd;
      case ERR -> ring.err = eventfd;
    }
  }

  /** {@return where a ring lies in guest memory; null if that is not known yet} */
  @Nullable RingAddresses addressesOf(FrontEndRing ring) {
    VringAddress at = ring.address;
    if (at == null) {
      return null;
    }
    Long descriptor = memory.guestAddress(at.descriptor());
    Long used = memory.guestAddress(at.used());
    Long available = memory.guestAddress(at.available());
    return descriptor == null || used == null || available == null
        ? null
        : new RingAddresses(descriptor, used, available);
  }

  /** {@return whether a ring is in use: enabled, or never to be enabled by a message} */
  boolean isEnabled(FrontEndRing ring) {
    boolean disabledAtFirst = (features & VhostFeature.PROTOCOL_FEATURES) != 0;
    return ring.enabled == null ? !disabledAtFirst : ring.enabled;
  }

  /** {@return whether all is there that a ring needs to run} */
  boolean isComplete(FrontEndRing ring) {
    return ring.size != null && ring.kick != null && addressesOf(ring) != null;
  }

  /**
   * {@return what a switch is to hold of the device}
   *
   * @param lifecycle what the device is to do
   * @param capabilities of that switch
   */
  DeviceConfig desired(Lifecycle lifecycle, BackEndCapabilities capabilities) {
    long virtio = features & ~(VhostFeature.PROTOCOL_FEATURES | VhostFeature.LOG_ALL);
    return new DeviceConfig(
        lifecycle,
        Planner.withVhostBits(virtio, capabilities, logs()),
        mtu,
        memory.table(),
        dirtyLog,
        rings.stream().map(this::desired).toList(),
        inflight,
        null,
        null,
        null,
        0);
  }

  /**
   * {@return what a switch is to hold of a device that somebody has predicted} The memory is what
   * {@link #memory} has; calls are those that the front end has sent by now.
   *
   * @param content the prediction
   * @param capabilities of that switch
   */
  DeviceConfig predicted(Hint.Content content, BackEndCapabilities capabilities) {
    List<RingConfig> predicted = new ArrayList<>();
    for (Hint.Ring ring : content.rings()) {
      while (predicted.size() < ring.number()) {
        predicted.add(RingConfig.NOT_SET_UP);
      }
      FrontEndRing known = ring(ring.number());
      predicted.add(
          new RingConfig(
              ring.size(),
              ring.addresses(),
              null,
              null,
              null,
              known.call,
              known.err,
              ring.enabled(),
              false));
    }
    long virtio = content.features() & ~VhostFeature.PROTOCOL_FEATURES;
    return new DeviceConfig(
        Lifecycle.RUNNING,
        Planner.withVhostBits(virtio, capabilities, false),
        content.mtu(),
        memory.table(),
        null,
        predicted,
        inflight,
        null,
        null,
        null,
        0);
  }

  /** {@return the device as another mediator can predict it} */
  Hint.Content hint() {
    List<Hint.Ring> shipped = new ArrayList<>();
    for (int i = 0; i < rings.size(); i++) {
      FrontEndRing ring = rings.get(i);
      RingAddresses at = addressesOf(ring);
      if (ring.size != null && at != null) {
        shipped.add(new Hint.Ring(i, ring.size, at, isEnabled(ring)));
      }
    }
    return new Hint.Content(features & ~VhostFeature.LOG_ALL, mtu, memory.hinted(), shipped);
  }

  private RingConfig desired(FrontEndRing ring) {
    RingAddresses addresses = addressesOf(ring);
    if (ring.size == null || addresses == null) {
      return RingConfig.NOT_SET_UP;
    }
    boolean logUsed = ring.address != null && (ring.address.flags() & VringAddress.LOG) != 0;
    return new RingConfig(
        ring.size,
        addresses,
        ring.base,
        null,
        ring.kick,
        ring.call,
        ring.err,
        isEnabled(ring),
        logUsed);
  }

  /** The rings were stopped: the front end sends a kick again before one starts. */
  void kicksAreGone() {
    for (int i = 0; i < rings.size(); i++) {
      kickIsGone(i);
    }
  }

  /** The same for one ring. */
  void kickIsGone(int index) {
    FrontEndRing ring = ring(index);
    if (ring.kick instanceof RingEventfd.Fd(OwnedDescriptor descriptor)) {
      replaced.add(descriptor);
    }
    ring.kick = null;
  }

  /**
   * Signals kick and call of all rings: a signal from before may have been lost with the switch
   * that took it.
   */
  void signalAll() {
    for (FrontEndRing ring : rings) {
      signal(ring.kick);
      signal(ring.call);
    }
  }

  private static void signal(@Nullable RingEventfd eventfd) {
    if (eventfd instanceof RingEventfd.Fd(OwnedDescriptor descriptor)) {
      try (EventFd signalled = EventFd.adopt(descriptor.duplicate())) {
        signalled.signal();
      } catch (SystemCallException e) {
        log.warn("what came as an eventfd is none: {}", e.getMessage());
      }
    }
  }

  /** {@return all of it, for a mediator that takes over} */
  SavedNic.Device saved(NicSaver saver) {
    InflightRegion region = inflight;
    return new SavedNic.Device(
        features,
        mtu == null ? -1 : mtu,
        status,
        saver.name(dirtyLog == null ? null : dirtyLog.descriptor()),
        dirtyLog == null ? 0 : dirtyLog.size(),
        memory.serial(),
        memory.saved(saver),
        rings.stream().map(ring -> ring.saved(saver)).toList(),
        region == null
            ? null
            : new SavedNic.Inflight(
                saver.name(region.file()),
                region.layout().mmapSize(),
                region.layout().mmapOffset(),
                region.layout().queues(),
                region.layout().queueSize()));
  }

  /**
   * Takes up what an earlier mediator has saved.
   *
   * @param files gives the file of a name, which the device then owns
   * @throws VhostException (GIVE_UP) if it contradicts itself
   */
  void restore(SavedNic.Device saved, Function<String, OwnedDescriptor> files) {
    features = saved.features();
    mtu = saved.mtu() < 0 ? null : Integer.valueOf(saved.mtu());
    status = saved.status();
    if (!saved.log().isEmpty()) {
      dirtyLog = new LogTarget(files.apply(saved.log()), saved.logSize());
    }
    memory.restore(saved.serial(), saved.regions(), files);
    for (int i = 0; i < saved.rings().size(); i++) {
      ring(i).restore(i, saved.rings().get(i), files);
    }
    SavedNic.Inflight region = saved.inflight();
    if (region != null) {
      inflight =
          new InflightRegion(
              files.apply(region.file()),
              new Inflight(region.size(), region.offset(), region.queues(), region.queueSize()));
    }
  }

  /** Closes what was replaced. No plan that names it may be under way. */
  void closeReplaced() {
    replaced.forEach(OwnedDescriptor::close);
    replaced.clear();
  }

  /** The front end has gone: forgets all and closes all descriptors. */
  @Override
  public void close() {
    for (int i = 0; i < rings.size(); i++) {
      for (Signal which : Signal.values()) {
        signal(i, which, new RingEventfd.NoFd());
      }
    }
    rings.clear();
    if (dirtyLog != null) {
      replaced.add(dirtyLog.descriptor());
      dirtyLog = null;
    }
    inflight(null);
    closeReplaced();
    memory.close();
    features = 0;
    mtu = null;
    status = 0;
  }
}
