package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts and stops copies of devices again and again, so that the JVM has loaded and compiled that
 * code before the real devices are started. A copy of a device that has no driver yet gets a
 * simulated driver: it takes every feature but packed rings, and puts all rings at one address.
 *
 * <pre>
 *   a round:                  rewind --&gt; restore --&gt; start --&gt; stop
 *   a round after presetup:   rewind --&gt; restore --&gt; start           what comes next there
 * </pre>
 *
 * <p>Neither the devices nor their back ends nor guest memory are changed; guest memory is read.
 */
final class GroupRehearsal {
  private static final Logger log = LoggerFactory.getLogger(GroupRehearsal.class);

  /** The first compiler compiles a method after 200 calls (Tier3InvocationThreshold). */
  static final int ROUNDS = 1000;

  /**
   * Some load and link all code. After 127 calls the JVM makes a class for a method handle, which a
   * round may call once. A warm JVM takes some ten milliseconds for all of them.
   */
  private static final int FEW_ROUNDS = 150;

  /** More devices would only run the same code more often. */
  private static final int MOST_DEVICES = 4;

  private static final int RING_SIZE = 64;

  private GroupRehearsal() {}

  /** A copy of a device, and the state in which it starts. */
  private record Copy(RehearsalDevice device, VirtioNetState state) {
    void restore() {
      device.rewind(false);
      device.net().restore(state);
    }
  }

  /** Makes the copy of a device. */
  private interface Copying<D> {
    /** Returns null if the device cannot be rehearsed. */
    @Nullable Copy copyOf(D device, Deadline deadline);
  }

  /**
   * Rehearses devices of one VM.
   *
   * @param stop stops the copies, once a round
   * @return how many rounds there was time for
   */
  static int run(List<VhostNet> nets, int most, Duration within, Consumer<List<VhostNet>> stop) {
    return run(nets, GroupRehearsal::copy, stop, most, within, () -> false);
  }

  /**
   * Rehearses the start of devices that were preset just now.
   *
   * @param cancelled whether the result is not needed any more
   * @return how many rounds there was time for
   */
  static int afterPresetup(
      PresetupMode mode, List<EarlyState> devices, Duration within, BooleanSupplier cancelled) {
    try {
      return run(
          devices,
          (early, deadline) -> copy(mode, early, deadline),
          _ -> {},
          FEW_ROUNDS,
          within,
          cancelled);
    } catch (RuntimeException e) { // the back ends are preset anyway
      log.debug("the start is not rehearsed: {}", e.toString());
      return 0;
    }
  }

  private static <D> int run(
      List<D> devices,
      Copying<D> copying,
      Consumer<List<VhostNet>> behindStart,
      int most,
      Duration within,
      BooleanSupplier cancelled) {
    Deadline deadline = Deadline.after(within);
    BooleanSupplier over = () -> deadline.expired() || cancelled.getAsBoolean();
    List<Copy> copies = new ArrayList<>();
    int rounds = 0;
    try {
      for (D device : devices) {
        boolean half = deadline.remainingNanos() < within.dividedBy(2).toNanos();
        if (over.getAsBoolean() || copies.size() == MOST_DEVICES || (half && !copies.isEmpty())) {
          break;
        }
        Copy copy = copying.copyOf(device, deadline);
        if (copy != null) {
          copies.add(copy);
        }
      }
      List<VhostNet> twins = copies.stream().map(a -> a.device().net()).toList();
      while (rounds < most && !twins.isEmpty() && !over.getAsBoolean()) {
        copies.forEach(Copy::restore);
        VhostNetGroup.start(twins, StartOrder.PLANNED);
        behindStart.accept(twins);
        rounds++;
      }
    } catch (VhostException e) {
      log.debug("the rehearsal ended early: {}", e.getMessage());
    } finally {
      copies.forEach(a -> a.device().close());
    }
    log.debug("rehearsed {} rounds", rounds);
    return rounds;
  }

  private static Copy copy(PresetupMode mode, EarlyState early, Deadline deadline) {
    RehearsalDevice device = early.net().migration().rehearsal(deadline);
    boolean preset = false;
    try {
      device.preset(mode, early.state());
      preset = true;
    } finally {
      if (!preset) {
        device.close();
      }
    }
    return new Copy(device, early.state());
  }

  private static @Nullable Copy copy(VhostNet net, Deadline deadline) {
    RehearsalDevice device = net.migration().rehearsal(deadline);
    VirtioNetState state = null;
    try {
      state =
          net.read(VirtioNet::live)
              ? net.snapshot()
              : simulated(device.net().model(), net.memory().guest());
    } finally {
      if (state == null) {
        device.close();
      }
    }
    return state == null ? null : new Copy(device, state);
  }

  /** The state of a device whose simulated driver has made it live; null: no room for a ring. */
  private static @Nullable VirtioNetState simulated(VirtioNet like, GuestMemory memory) {
    MemoryRegion region = memory.table().regions().getFirst();
    if (region.size() < 2 * MemoryRegion.PAGE) {
      return null;
    }
    long at = region.guestAddress() + MemoryRegion.PAGE; // 0 would be a ring that is not set up
    VirtioNet model = like.twin();
    model.linkUp(true);
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    model.setStatus(driver);
    model.setDriverFeatures(model.deviceFeatures() & ~NetFeature.RING_PACKED.mask());
    model.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int ring = 0; ring < model.queueCount(); ring++) {
      model.configureQueue(ring, RING_SIZE, at, at + 0x400, at + 0x800);
    }
    model.setStatus(DeviceStatus.RUNNING);
    return model.snapshot();
  }
}
