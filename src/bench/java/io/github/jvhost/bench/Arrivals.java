package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The destination of repeated migrations: the devices of the same guest arrive again and again,
 * each time with new connections. Guest memory has the rings where the driver put them, but no
 * guest runs.
 *
 * <p>All devices share the ring eventfds, which costs the stop window nothing: with each message
 * goes a descriptor of its own, whoever holds another of the same file. One thread at a time.
 */
final class Arrivals implements AutoCloseable {
  static final Dialect DIALECT = Dialect.RFC_2023;

  /** The one back end that is known to have PRESETUP holds its rings until DRIVER_OK. */
  static final BackEndProfile PROFILE = BackEndProfile.NVIDIA_VFE;

  private static final int RING_ENTRIES = 256;

  /**
   * Room for a ring of {@link #RING_ENTRIES}: descriptors, available and used ring, a page each.
   */
  private static final int RING_BYTES = 0x4000;

  /** Offset of the index in a split ring's available and used ring (virtio 1.2, 2.7.6, 2.7.8). */
  private static final int INDEX = 2;

  /** How far the guest has got in a ring between the early state and the final one. */
  private static final int PROGRESS = 80;

  private static final long BUSY_NANOS = 500_000;

  private final DescriptorLedger ledger;
  private final int pairs;
  private final GuestMemory memory;
  private final List<RingEventfds> eventfds;
  private final VirtioNetState early;
  private final VirtioNetState last;

  /**
   * Creates a guest whose devices have this many queue pairs, all in use.
   *
   * @param pairs queue pairs, 1 to 256
   * @param backEnd a socket, to find out what a back end offers to a guest
   */
  Arrivals(DescriptorLedger ledger, int pairs, Path backEnd) {
    this.ledger = ledger;
    this.pairs = pairs;
    int rings = 2 * pairs;
    memory = GuestMemory.builder(ledger).region("ram", 0, (rings + 1L) * RING_BYTES).build();
    eventfds = RingEventfds.create(ledger, "bench", rings);
    early = booted(backEnd);
    VirtioNetState moved = early;
    for (int i = 0; i < rings; i++) {
      int next = PROGRESS + i;
      moved = moved.withQueue(i, moved.queue(i).withNext(next));
      // Nothing is in flight.
      memory.putShort(moved.queue(i).avail() + INDEX, (short) next);
      memory.putShort(moved.queue(i).used() + INDEX, (short) next);
    }
    last = moved;
  }

  /** Returns the state of a device that a driver has set up. */
  private VirtioNetState booted(Path backEnd) {
    try (VhostNet net = connect(backEnd, 0)) {
      VirtioNet model = net.model();
      int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
      model.setStatus(driver);
      model.setDriverFeatures(model.deviceFeatures());
      model.setStatus(driver | DeviceStatus.FEATURES_OK);
      for (int i = 0; i < 2 * pairs; i++) {
        long at = (i + 1L) * RING_BYTES;
        model.configureQueue(i, RING_ENTRIES, at, at + 0x1000, at + 0x2000);
      }
      model.setStatus(DeviceStatus.RUNNING);
      VirtioNetState state = model.snapshot();
      return state.withNet(state.net().withQueuePairs(pairs));
    }
  }

  /** Returns the options for a connection to a back end. */
  VhostDeviceOptions options(Path socket, int device, BackEndProfile profile) {
    return VhostDeviceOptions.of("net" + device, socket, DIALECT, profile, ledger);
  }

  private VhostNet connect(Path socket, int device) {
    VirtioNet model = VirtioNet.builder("net" + device).maxQueuePairs(pairs).build();
    return VhostNet.connect(model, memory, eventfds, options(socket, device, PROFILE));
  }

  /**
   * Connects a new device to each of these back ends.
   *
   * @return the caller closes them: {@link #leave}
   */
  List<VhostNet> connect(List<Path> sockets) {
    List<VhostNet> nets = new ArrayList<>(sockets.size());
    try {
      for (Path socket : sockets) {
        nets.add(connect(socket, nets.size()));
      }
      return nets;
    } catch (RuntimeException e) {
      leave(nets);
      throw e;
    }
  }

  /** Closes the connections of all. */
  static void leave(List<VhostNet> nets) {
    nets.forEach(VhostNet::close);
  }

  /** The early states of devices that were connected. */
  List<VhostNetGroup.EarlyState> early(List<VhostNet> nets) {
    return nets.stream().map(net -> new VhostNetGroup.EarlyState(net, early, 1)).toList();
  }

  /**
   * Presets the back ends with PRESETUP and prepares the starts, as a migration does.
   *
   * @throws VhostException when one of them failed
   */
  void presetup(List<VhostNet> nets) {
    for (PresetupResult result :
        VhostNetGroup.presetupUnrehearsed(PresetupMode.EXPLICIT, early(nets), () -> false)) {
      if (!result.done()) {
        throw new VhostException("presetup: " + result.note(), Recovery.GIVE_UP);
      }
    }
    for (VhostNet net : nets) {
      if (!net.migration().prepareStart(early)) {
        throw new VhostException(net.name() + ": its start was not prepared", Recovery.GIVE_UP);
      }
    }
  }

  /**
   * Called when the guest has stopped at the source and the final states are here. It is busy for
   * at least half a millisecond, so that every window begins in the same way: with this thread busy
   * and the back end asleep. peer.c does the same.
   */
  void complete(List<VhostNet> nets) {
    long from = System.nanoTime();
    nets.forEach(net -> net.restore(last));
    beBusy(from);
  }

  /** Is busy until half a millisecond has passed since then. */
  static void beBusy(long from) {
    while (System.nanoTime() - from < BUSY_NANOS) {
      Thread.onSpinWait();
    }
  }

  /**
   * What a back end has to hold of one device.
   *
   * @param early as it was saved early
   * @param last as it was when the guest had stopped
   */
  record Configurations(DeviceConfig early, DeviceConfig last) {}

  /** Both configurations of a device that runs. */
  Configurations configurations(Path backEnd) {
    try (VhostNet net = connect(backEnd, 0)) {
      net.restore(early);
      DeviceConfig before = net.desiredConfig(false);
      net.restore(last);
      return new Configurations(before, net.desiredConfig(true));
    }
  }

  /** Closes memory and eventfds; the connections are not touched. */
  @Override
  public void close() {
    eventfds.forEach(RingEventfds::close);
    memory.close();
  }
}
