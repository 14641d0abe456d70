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
import io.github.jvhost.vhost.RingEventfds;
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
 * A device that is built from a saved one, for a {@link PlanPreview}: a model that takes the saved
 * state, guest memory that is never written, and eventfds that are never signalled. A plan needs
 * them only while it is made.
 *
 * <p>Used by one thread.
 */
final class PlanPreviewRig implements AutoCloseable {
  private final String device;
  private final VirtioNet model;
  private final GuestMemory memory;
  private final List<EventFd> opened = new ArrayList<>();
  private final List<RingEventfds> eventfds = new ArrayList<>();

  private PlanPreviewRig(String device, VirtioNet model, GuestMemory memory) {
    this.device = device;
    this.model = model;
    this.memory = memory;
  }

  /**
   * Makes a device that takes both states.
   *
   * @param memory stays the caller's
   * @throws VhostException (GIVE_UP) when no device of this library, or none with this back end,
   *     can have the later state
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
              + ": its driver uses ACCESS_PLATFORM (a virtual IOMMU), and no plan can be shown: its"
              + " rings' addresses may be I/O virtual ones, which nobody here translates",
          Recovery.GIVE_UP);
    }
    VirtioNet model = model(device, early, running);
    limit(model, running.common().features(), backEnd);
    var rig = new PlanPreviewRig(device, model, memory);
    try {
      for (int i = 0; i < 2 * model.maxQueuePairs(); i++) {
        EventFd kick = rig.eventfd(ledger, device + " ring " + i + " kick");
        rig.eventfds.add(
            new RingEventfds(kick, rig.eventfd(ledger, device + " ring " + i + " call")));
      }
      return rig;
    } catch (RuntimeException e) {
      rig.close();
      throw e;
    }
  }

  private EventFd eventfd(DescriptorLedger ledger, String what) {
    EventFd eventfd = EventFd.create(ledger, what);
    opened.add(eventfd);
    return eventfd;
  }

  /**
   * The saved state does not contain the features that the source's device offered. The model
   * offers those that its driver accepted.
   */
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

  /** Limits the model to the back end's features, as a connection to a back end does. */
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
   * Returns why an earlier state is not of the same device, for people who compare two streams;
   * empty if it is.
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
   * Returns the device in a saved state.
   *
   * @throws VhostException (GIVE_UP) when the state does not fit the device
   */
  VirtioNet in(VirtioNetState state) {
    VirtioNet restored = model.twin();
    restored.restore(state);
    return restored;
  }

  /**
   * Returns what a back end has to hold while the guest runs. The used index of a split ring is not
   * known here and is left out, which has the same effect as a used index that is equal to the
   * base.
   *
   * @throws VhostException (GIVE_UP) when a ring is outside of guest memory
   */
  DeviceConfig running(VirtioNet restored, BackEndCapabilities capabilities, int generation) {
    try {
      return NetPlanning.running(device, restored, memory, eventfds, capabilities, generation);
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

  /** Returns what it has to hold of a device that does not run. */
  DeviceConfig stopped() {
    return new DeviceConfig(
        DeviceConfig.Lifecycle.STOPPED, 0, null, memory.table(), null, List.of(), 0);
  }

  @Override
  public void close() {
    opened.forEach(EventFd::close);
  }
}
