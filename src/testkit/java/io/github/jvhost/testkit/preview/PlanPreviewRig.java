package io.github.jvhost.testkit.preview;

import static java.util.stream.Collectors.joining;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.NetPlanning;
import io.github.jvhost.vhost.RingNotifiers;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.virtio.CommonState.Endian;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;

/**
 * A device made up after a saved one, for a {@link PlanPreview}: a model that takes the saved
 * state, guest memory that nobody writes to, and notifiers that nobody signals. A plan needs them
 * only while it is made.
 *
 * <p>For one thread.
 */
final class PlanPreviewRig implements AutoCloseable {
  private final String device;
  private final VirtioNet model;
  private final GuestMemory memory;
  private final List<EventFd> eventfds = new ArrayList<>();
  private final List<RingNotifiers> notifiers = new ArrayList<>();

  private PlanPreviewRig(String device, VirtioNet model, GuestMemory memory) {
    this.device = device;
    this.model = model;
    this.memory = memory;
  }

  /**
   * Makes one that takes both states.
   *
   * @param memory stays the caller's
   * @throws VhostException (GIVE_UP) no device of this library, or not with this back end, can be
   *     in the later state
   */
  static PlanPreviewRig open(
      String device,
      VirtioNetState early,
      VirtioNetState running,
      PlanPreviewBackEnd backEnd,
      GuestMemory memory,
      DescriptorLedger ledger) {
    if (NetFeature.ACCESS_PLATFORM.in(running.common().features())) {
      throw new VhostException(
          device
              + ": its driver uses ACCESS_PLATFORM (a virtual IOMMU), and no such device is served"
              + " yet: its rings' addresses may be I/O virtual ones, which nobody here translates",
          Recovery.GIVE_UP);
    }
    VirtioNet model = model(device, early, running);
    limit(model, running.common().features(), backEnd);
    var rig = new PlanPreviewRig(device, model, memory);
    try {
      for (int i = 0; i < 2 * model.maxQueuePairs(); i++) {
        EventFd kick = rig.eventfd(ledger, device + " ring " + i + " kick");
        rig.notifiers.add(
            new RingNotifiers(kick, rig.eventfd(ledger, device + " ring " + i + " call")));
      }
      return rig;
    } catch (RuntimeException e) {
      rig.close();
      throw e;
    }
  }

  private EventFd eventfd(DescriptorLedger ledger, String what) {
    EventFd eventfd = EventFd.create(ledger, what);
    eventfds.add(eventfd);
    return eventfd;
  }

  /** What the source's device offered is not saved: it was at least what its driver took. */
  private static VirtioNet model(String device, VirtioNetState early, VirtioNetState running) {
    boolean big = running.common().endian() == Endian.BIG;
    VirtioNetBuilder builder =
        VirtioNet.builder(device)
            .transport(running.transport().reset())
            .maxQueuePairs(running.net().maxQueuePairs())
            .legacyBigEndian(big && !running.transport().modern());
    try {
      builder.deviceFeatures(early.common().features() | running.common().features());
    } catch (IllegalArgumentException e) {
      throw new VhostException(device + ": the driver uses " + e.getMessage(), Recovery.GIVE_UP, e);
    }
    return builder.build();
  }

  /** As when a device is connected to its back end. */
  private static void limit(VirtioNet model, long driverFeatures, PlanPreviewBackEnd backEnd) {
    BackEndCapabilities can = backEnd.capabilities();
    NetPlanning.limit(model, model.name(), can, "a %s back end".formatted(backEnd.name()));
    long missing = driverFeatures & NetFeature.BACK_END & ~can.features();
    if (missing != 0) {
      throw new VhostException(
          "%s: a %s back end lacks features that the driver uses: %s"
              .formatted(model.name(), backEnd.name(), NetFeature.describe(missing)),
          Recovery.GIVE_UP);
    }
  }

  /**
   * Why an earlier state is not of the same device, for somebody who has two streams; empty where
   * it is.
   */
  String whyNotEarlier(VirtioNetState early, PlanPreviewBackEnd backEnd) {
    int pairs = early.net().maxQueuePairs();
    if (pairs != model.maxQueuePairs()) {
      return "the earlier state has %d queue pairs, the later one has %d"
          .formatted(pairs, model.maxQueuePairs());
    }
    String transport = early.transport().describe();
    if (!transport.equals(model.transport().describe())) {
      return "the earlier state is of a device on %s, the later one of a device on %s"
          .formatted(transport, model.transport().describe());
    }
    long missing = early.common().features() & ~model.deviceFeatures();
    return missing == 0
        ? ""
        : "the earlier state has features that no device at a %s back end has: %s"
            .formatted(backEnd.name(), NetFeature.describe(missing));
  }

  /**
   * The device in a saved state.
   *
   * @throws VhostException (GIVE_UP) the state does not fit the device
   */
  VirtioNet in(VirtioNetState state) {
    VirtioNet restored = model.twin();
    restored.restore(state);
    return restored;
  }

  /**
   * What a back end is to know while the guest runs. What is not known, the used index of a split
   * ring in guest memory, is left out, which has the same effect as its being equal to the base.
   *
   * @throws VhostException (GIVE_UP) a ring lies outside of guest memory
   */
  DeviceConfig running(VirtioNet restored, BackEndCapabilities capabilities, int generation) {
    try {
      return NetPlanning.running(device, restored, memory, notifiers, capabilities, generation);
    } catch (VhostException e) {
      if (!(e.getCause() instanceof GuestAddressException)) {
        throw e;
      }
      throw new VhostException(
          "%s; it was taken to be %s".formatted(e.getMessage(), whereMemoryIs()),
          Recovery.GIVE_UP,
          e);
    }
  }

  private String whereMemoryIs() {
    List<MemoryRegion> regions = memory.table().regions();
    return "%d MiB at %s"
        .formatted(
            regions.stream().mapToLong(MemoryRegion::size).sum() >> 20,
            regions.stream()
                .map(r -> "0x%x..0x%x".formatted(r.guestAddress(), r.end() - 1))
                .collect(joining(", ")));
  }

  /** What it is to know of a device that does not run. */
  DeviceConfig stopped() {
    return new DeviceConfig(
        DeviceConfig.Lifecycle.STOPPED, 0, null, memory.table(), null, List.of(), 0);
  }

  @Override
  public void close() {
    eventfds.forEach(EventFd::close);
  }
}
