package io.github.jvhost.vhost;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PresetupCode;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Notifier;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.Step;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The vhost-user message of one step.
 *
 * @param request its number
 * @param payload its body
 * @param descriptors that go with it; they stay their owner's
 */
record StepMessage(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
  /** Flag of SET_VRING_ADDR: writes to the used ring are logged (VHOST_VRING_F_LOG). */
  private static final int VRING_F_LOG = 1;

  /**
   * The message.
   *
   * @param step what is told
   * @param stoppedAt the base for a {@link Step.SetRingBase} that has none of its own
   * @param received the region for a {@link Step.SetInflight} that has none of its own
   * @param guestAddresses whether user and ring addresses are told as guest addresses
   *     (GPA_ADDRESSES)
   */
  static StepMessage of(
      Step step,
      @Nullable Integer stoppedAt,
      @Nullable InflightRegion received,
      boolean guestAddresses) {
    return switch (step) {
      case Step.SetMtu(int mtu) -> number(FrontEndRequest.NET_SET_MTU, mtu);
      case Step.SetFeatures(long features) -> number(FrontEndRequest.SET_FEATURES, features);
      case Step.SetStatus(int status) -> number(FrontEndRequest.SET_STATUS, status);
      case Step.ReadStatus _ -> plain(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE);
      case Step.SetMemory(MemoryTable table) -> memory(table, guestAddresses);
      case Step.AddRegion(MemoryRegion region) ->
          new StepMessage(
              FrontEndRequest.ADD_MEM_REG,
              new SingleRegion(payload(region, guestAddresses)),
              List.of(region.file()));
      case Step.RemoveRegion(MemoryRegion region) ->
          plain(FrontEndRequest.REM_MEM_REG, new SingleRegion(payload(region, guestAddresses)));
      case Step.GetInflight(int queues, int queueSize) ->
          plain(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, queues, queueSize));
      case Step.SetInflight(InflightRegion own) -> {
        InflightRegion told = own != null ? own : received;
        if (told == null) {
          throw new IllegalStateException("no in-flight region came in this plan");
        }
        yield new StepMessage(FrontEndRequest.SET_INFLIGHT_FD, told.layout(), List.of(told.file()));
      }
      case Step.ResetDevice _ -> plain(FrontEndRequest.RESET_DEVICE, NoPayload.INSTANCE);
      case Step.SetLog(LogTarget log) ->
          new StepMessage(
              FrontEndRequest.SET_LOG_BASE,
              new LogRegion(log.size(), 0),
              List.of(log.descriptor()));
      case Step.BeginPresetup _ -> number(FrontEndRequest.PRESETUP, PresetupCode.START);
      case Step.EndPresetup _ -> number(FrontEndRequest.PRESETUP, PresetupCode.END);
      case Step.SetRingSize(int ring, int size) ->
          plain(FrontEndRequest.SET_VRING_NUM, new VringState(ring, size));
      case Step.SetRingBase(int ring, Integer base) -> {
        Integer told = base != null ? base : stoppedAt;
        if (told == null) {
          throw new IllegalStateException("ring " + ring + " did not stop in this plan");
        }
        yield plain(FrontEndRequest.SET_VRING_BASE, new VringState(ring, told));
      }
      case Step.SetRingAddress s -> address(s, guestAddresses);
      case Step.SetRingKick(int ring, Notifier kick) ->
          notifier(FrontEndRequest.SET_VRING_KICK, ring, kick);
      case Step.SetRingCall(int ring, Notifier call) ->
          notifier(FrontEndRequest.SET_VRING_CALL, ring, call);
      case Step.SetRingErr(int ring, Notifier err) ->
          notifier(FrontEndRequest.SET_VRING_ERR, ring, err);
      case Step.SetRingOrder(int ring, ByteOrder order) ->
          plain(
              FrontEndRequest.SET_VRING_ENDIAN,
              new VringState(ring, order == ByteOrder.BIG_ENDIAN ? 1 : 0));
      case Step.EnableRing(int ring, boolean enabled) ->
          plain(FrontEndRequest.SET_VRING_ENABLE, new VringState(ring, enabled ? 1 : 0));
      case Step.StopRing(int ring) ->
          plain(FrontEndRequest.GET_VRING_BASE, new VringState(ring, 0));
    };
  }

  private static MemoryRegionPayload payload(MemoryRegion region, boolean guestAddresses) {
    return new MemoryRegionPayload(
        region.guestAddress(),
        region.size(),
        guestAddresses ? region.guestAddress() : region.userAddress(),
        region.fileOffset());
  }

  private static StepMessage memory(MemoryTable table, boolean guestAddresses) {
    List<MemoryRegionPayload> regions = new ArrayList<>(table.regions().size());
    List<OwnedDescriptor> files = new ArrayList<>(table.regions().size());
    for (MemoryRegion region : table.regions()) {
      regions.add(payload(region, guestAddresses));
      files.add(region.file());
    }
    return new StepMessage(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(regions), files);
  }

  private static StepMessage address(Step.SetRingAddress step, boolean guestAddresses) {
    RingAddresses at = step.addresses();
    MemoryTable memory = step.memory();
    return plain(
        FrontEndRequest.SET_VRING_ADDR,
        new VringAddress(
            step.ring(),
            step.logUsed() ? VRING_F_LOG : 0,
            told(memory, at.descriptor(), guestAddresses),
            told(memory, at.used(), guestAddresses),
            told(memory, at.available(), guestAddresses),
            step.logAddress()));
  }

  private static long told(MemoryTable memory, long guestAddress, boolean guestAddresses) {
    return guestAddresses ? guestAddress : memory.userAddressOf(guestAddress, 1);
  }

  private static StepMessage notifier(FrontEndRequest request, int ring, Notifier notifier) {
    return switch (notifier) {
      case Notifier.WithoutDescriptor _ -> plain(request, new VringDescriptor(ring, true));
      case Notifier.Eventfd(OwnedDescriptor descriptor) ->
          new StepMessage(request, new VringDescriptor(ring, false), List.of(descriptor));
    };
  }

  private static StepMessage number(FrontEndRequest request, long value) {
    return plain(request, new U64(value));
  }

  private static StepMessage plain(FrontEndRequest request, Payload payload) {
    return new StepMessage(request, payload, List.of());
  }
}
