package io.github.jvhost.testkit.preview;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.LoopbackPair;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.vhost.user.Flight;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is counted is what goes over a connection when the same plan is carried out. */
class PlanPreviewTrafficTest {
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final PlanPreviewMemory MEMORY =
      new PlanPreviewMemory(
          List.of(
              new PlanPreviewMemory.Region(0, 8 << 20),
              new PlanPreviewMemory.Region(1L << 32, 8 << 20)));

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void explicitPresetup() throws InterruptedException {
    check(PlanPreviewBackEnd.explicit(Dialect.RFC_2023));
    check(PlanPreviewBackEnd.explicit(Dialect.NVIDIA_QEMU_8_2));
  }

  @Test
  void implicitPresetup() throws InterruptedException {
    check(PlanPreviewBackEnd.dpdk());
    check(PlanPreviewBackEnd.generic());
  }

  @Test
  void aBackEndWithoutAcknowledgements() throws InterruptedException {
    check(generic(0, ProtocolFeature.REPLY_ACK, 0));
  }

  @Test
  void aBackEndWithoutAStatus() throws InterruptedException {
    check(generic(0, ProtocolFeature.STATUS, 0));
  }

  @Test
  void aBackEndThatIsToldItsMemoryRegionByRegion() throws InterruptedException {
    check(generic(ProtocolFeature.CONFIGURE_MEM_SLOTS.mask(), null, 32));
  }

  @Test
  void aBackEndWithAnInFlightRegion() throws InterruptedException {
    check(generic(ProtocolFeature.INFLIGHT_SHMFD.mask(), null, 0));
  }

  private static PlanPreviewBackEnd generic(
      long more, @Nullable ProtocolFeature lacking, int slots) {
    BackEndCapabilities can = PlanPreviewBackEnd.generic().capabilities();
    long protocolFeatures =
        (can.protocolFeatures() | more) & ~(lacking == null ? 0 : lacking.mask());
    return new PlanPreviewBackEnd(
        "other",
        new BackEndCapabilities(
            can.features(),
            protocolFeatures,
            can.maxQueuePairs(),
            slots,
            can.dialect(),
            can.profile()),
        PresetupMode.IMPLICIT);
  }

  private void check(PlanPreviewBackEnd backEnd) throws InterruptedException {
    VirtioNet device = VirtioNet.builder("net0").maxQueuePairs(2).build();
    VirtioNetState paused = device.snapshot();
    VirtioNetState running = started(device);
    try (GuestMemory memory = MEMORY.allocate(ledger);
        var rig = PlanPreviewRig.open("net0", running, running, backEnd, memory, ledger)) {
      PlanPreview starts = PlanPreview.of(rig, running, running, backEnd);
      PlanPreview stops = PlanPreview.of(rig, running, paused, backEnd);

      assertThat(starts.whyNoPresetup()).isEmpty();
      compare(starts.presetup().orElseThrow());
      compare(starts.stopWindow());
      compare(starts.withoutPresetup());
      compare(stops.stopWindow());
      compare(stops.withoutPresetup());
    }
  }

  private static VirtioNetState started(VirtioNet device) {
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    device.setStatus(driver);
    device.setDriverFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask());
    device.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int i = 0; i < device.queueCount(); i++) {
      long at = (i + 1L) << 20;
      device.configureQueue(i, 64, at, at + 0x1000, at + 0x2000);
    }
    device.setStatus(DeviceStatus.RUNNING);
    return device.snapshot();
  }

  private static void carryOut(Execution execution, Deadline deadline) {
    try (Poller poller = new Poller(1)) {
      boolean readable = false;
      while (!execution.advance(readable)) {
        assertThat(deadline.expired()).as("it ends in time").isFalse();
        poller.clear();
        int connection = poller.add(execution.number(), Poller.IN);
        poller.await(deadline.remainingNanos());
        readable = poller.ready(connection) != 0;
      }
    }
  }

  private void compare(Plan plan) throws InterruptedException {
    BackEndCapabilities can = plan.capabilities();
    Outcome outcome;
    var peer = new CountingPeer(can, ledger);
    try (LoopbackPair pair = LoopbackPair.open("net0", can.dialect(), ledger)) {
      pair.frontEnd().negotiated(can.protocolFeatures());
      Thread thread = Thread.ofPlatform().daemon().start(() -> peer.answerAll(pair.backEnd()));
      Deadline deadline = Deadline.after(PATIENCE);
      Execution execution =
          Flight.begin(pair.frontEnd(), plan, deadline, StoppedRings.AS_ANSWERED, _ -> {});
      carryOut(execution, deadline);
      outcome = execution.outcome();
      pair.frontEnd().close();
      thread.join(PATIENCE);
    }
    InflightRegion region = outcome.inflight();
    if (region != null) {
      region.file().close();
    }
    outcome.orThrow();
    assertThat(PlanPreviewTraffic.of(plan))
        .as(plan.describe())
        .isEqualTo(new PlanPreviewTraffic(peer.received, peer.answered))
        .extracting(PlanPreviewTraffic::messages)
        .isEqualTo(outcome.messages());
  }

  /** Takes everything, answers what has to be answered, and counts both. */
  private static final class CountingPeer {
    private final BackEndCapabilities can;
    private final DescriptorLedger ledger;
    // Written by its thread, read after that has ended.
    private int received;
    private int answered;

    CountingPeer(BackEndCapabilities can, DescriptorLedger ledger) {
      this.can = can;
      this.ledger = ledger;
    }

    void answerAll(BackEndConnection connection) {
      try {
        while (true) {
          Received message = connection.receive(Deadline.after(PATIENCE));
          message.descriptors().forEach(OwnedDescriptor::close);
          received++;
          answer(connection, message);
        }
      } catch (VhostException e) {
        // The front end has closed its side.
      }
    }

    private void answer(BackEndConnection connection, Received message) {
      Header header = message.header();
      FrontEndRequest request = can.dialect().requestOf(header.request()).orElseThrow();
      if (!header.needsReply() && request.explicitReply(can.protocolFeatures()).isEmpty()) {
        return;
      }
      answered++;
      switch (request) {
        case GET_STATUS -> reply(connection, header, number(15), List.of());
        case GET_VRING_BASE -> reply(connection, header, message.payload(), List.of());
        case GET_INFLIGHT_FD -> {
          byte[] layout = message.payload();
          ByteBuffer.wrap(layout).order(ByteOrder.nativeOrder()).putLong(0, 4096);
          try (MemoryFile region = MemoryFile.create(ledger, "in flight", 4096)) {
            reply(connection, header, layout, List.of(region.descriptor()));
          }
        }
        default -> reply(connection, header, number(0), List.of());
      }
    }

    private static void reply(
        BackEndConnection connection,
        Header header,
        byte[] payload,
        List<OwnedDescriptor> descriptors) {
      connection.reply(
          header.request(), Header.REPLY_FLAGS, payload, descriptors, Deadline.after(PATIENCE));
    }

    private static byte[] number(long value) {
      return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value).array();
    }
  }
}
