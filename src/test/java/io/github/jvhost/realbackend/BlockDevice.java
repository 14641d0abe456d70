package io.github.jvhost.realbackend;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.Step;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A disk of one queue whose back end is told by the planner: the smallest device that is no NIC.
 */
final class BlockDevice implements AutoCloseable {
  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, BlockQueue.BYTES).build();
  final BlockQueue queue = new BlockQueue(memory, 0, ledger);
  private final VhostDeviceOptions options;
  private VhostDevice device;

  BlockDevice(Path socket, BackEndProfile profile) {
    options = VhostDeviceOptions.of("disk", socket, Dialect.UPSTREAM, profile, ledger);
    device = VhostDevice.connect(options);
  }

  /** Goes on at a back end that holds nothing yet. */
  void reconnect() {
    device.close();
    device = VhostDevice.connect(options);
  }

  static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(10));
  }

  /** Everything that the back end may know while guest memory is still on its way. */
  Plan planEarly() {
    return plan(
        Lifecycle.PRESET,
        new RingConfig(
            BlockQueue.SIZE,
            null,
            null,
            null,
            null,
            new RingEventfd.Fd(queue.call.descriptor()),
            true,
            false));
  }

  /** All of it. */
  Plan planStart(int base) {
    return plan(
        Lifecycle.RUNNING,
        new RingConfig(
            BlockQueue.SIZE,
            queue.addresses(),
            base,
            queue.usedIndex(),
            new RingEventfd.Fd(queue.kick.descriptor()),
            new RingEventfd.Fd(queue.call.descriptor()),
            true,
            false));
  }

  private Plan plan(Lifecycle lifecycle, RingConfig ring) {
    return device.plan(
        new DeviceConfig(
            lifecycle, BlockWire.FEATURES, null, memory.table(), null, List.of(ring), 0));
  }

  Outcome execute(Plan plan) {
    return device.execute(plan, deadline()).orThrow();
  }

  /** Starts the ring there, and wakes the device: something may be waiting. */
  void start(int base) {
    execute(planStart(base));
    queue.kick.signal();
  }

  /** Stops the ring, and says where it stopped. */
  int stop() {
    Plan plan =
        device.plan(
            new DeviceConfig(Lifecycle.STOPPED, 0, null, memory.table(), null, List.of(), 0));
    Outcome outcome = execute(plan);
    for (int i = 0; i < plan.steps().size(); i++) {
      Integer base = outcome.baseOf(i);
      if (plan.steps().get(i).step() instanceof Step.StopRing && base != null) {
        return base;
      }
    }
    throw new AssertionError("no ring was stopped: " + plan.describe());
  }

  @Override
  public void close() {
    device.close();
    queue.close();
    memory.close();
    if (ledger.openCount() != 0) {
      throw new AssertionError("left open: " + ledger.describeOpen());
    }
  }
}
