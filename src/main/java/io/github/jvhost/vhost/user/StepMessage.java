package io.github.jvhost.vhost.user;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
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
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.Step;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The vhost-user message of one step, and how its answer is read: this carrier's table. {@link
 * #ROWS} has one row a fact, except for the address and the log flag, which go together in a {@link
 * Step.SetRingAddress}. {@link #of} has that step and the others.
 *
 * @param request its number
 * @param payload its body
 * @param descriptors that go with it; their owner keeps them
 * @param answer how an answer is read, if one comes
 */
public record StepMessage(
    FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors, Answered answer) {

  /** How the answer to a step is read. */
  public enum Answered {
    /** An acknowledgement: 0, or else it was refused. */
    WITH_ZERO,
    /** Where the ring stopped. */
    WITH_BASE,
    /** The status byte, in which some bits have to be set. */
    WITH_STATUS,
    /** A region for requests in flight, or that there is none to share. */
    WITH_REGION,
    /** It differs between back ends, so it is not checked. */
    NOT_CHECKED,
    /** The barrier at the end of a plan: its answer comes after all work before it. */
    BARRIER
  }

  /** Flag of SET_VRING_ADDR: writes to the used ring are logged (VHOST_VRING_F_LOG). */
  private static final int VRING_F_LOG = 1;

  /** The message of each fact that a {@link Step.Set} carries. */
  private static final Map<Fact<?>, Row<?>> ROWS =
      Stream.of(
              row(Fact.MTU, FrontEndRequest.NET_SET_MTU, (r, s, _) -> number(r, s.value())),
              row(Fact.FEATURES, FrontEndRequest.SET_FEATURES, (r, s, _) -> number(r, s.value())),
              row(Fact.STATUS, FrontEndRequest.SET_STATUS, (r, s, _) -> number(r, s.value())),
              row(Fact.LOG, FrontEndRequest.SET_LOG_BASE, (r, s, _) -> log(r, s.value())),
              row(Fact.MEMORY, FrontEndRequest.SET_MEM_TABLE, (r, s, g) -> memory(r, s.value(), g)),
              row(
                  Fact.INFLIGHT,
                  FrontEndRequest.SET_INFLIGHT_FD,
                  (_, s, _) -> inflight(s.value().orElse(null))),
              row(Fact.SIZE, FrontEndRequest.SET_VRING_NUM, (r, s, _) -> ring(r, s, s.value())),
              row(
                  Fact.ORDER,
                  FrontEndRequest.SET_VRING_ENDIAN,
                  (r, s, _) -> ring(r, s, s.value() == ByteOrder.BIG_ENDIAN ? 1 : 0)),
              row(Fact.CALL, FrontEndRequest.SET_VRING_CALL, (r, s, _) -> eventfd(r, s)),
              row(Fact.ERR, FrontEndRequest.SET_VRING_ERR, (r, s, _) -> eventfd(r, s)),
              row(
                  Fact.ENABLED,
                  FrontEndRequest.SET_VRING_ENABLE,
                  (r, s, _) -> ring(r, s, s.value() ? 1 : 0)),
              row(Fact.BASE, FrontEndRequest.SET_VRING_BASE, (r, s, _) -> ring(r, s, s.value())),
              row(Fact.KICK, FrontEndRequest.SET_VRING_KICK, (r, s, _) -> eventfd(r, s)))
          .collect(Collectors.toUnmodifiableMap(Row::fact, Function.identity()));

  private record Row<T>(Fact<T> fact, FrontEndRequest request, Body<T> body) {}

  private interface Body<T> {
    StepMessage of(FrontEndRequest request, Step.Set<T> step, boolean guestAddresses);
  }

  private static <T> Row<T> row(Fact<T> fact, FrontEndRequest request, Body<T> body) {
    return new Row<>(fact, request, body);
  }

  /**
   * The message.
   *
   * @param step what is sent
   * @param stoppedAt the base for a {@link Step.ResumeRing}
   * @param received the region for a {@link Step.ReturnInflight}
   * @param guestAddresses whether user and ring addresses are sent as guest addresses
   *     (GPA_ADDRESSES)
   * @return the message
   */
  public static StepMessage of(
      Step step,
      @Nullable Integer stoppedAt,
      @Nullable InflightRegion received,
      boolean guestAddresses) {
    return switch (step) {
      case Step.Set<?> s -> set(s, guestAddresses);
      case Step.SetRingAddress s -> address(s, guestAddresses);
      case Step.StopRing(int ring) ->
          plain(FrontEndRequest.GET_VRING_BASE, new VringState(ring, 0))
              .answered(Answered.WITH_BASE);
      case Step.ResumeRing(int ring) -> {
        if (stoppedAt == null) {
          throw new IllegalStateException("ring " + ring + " did not stop in this plan");
        }
        yield plain(FrontEndRequest.SET_VRING_BASE, new VringState(ring, stoppedAt));
      }
      case Step.ReadStatus _ ->
          plain(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE).answered(Answered.WITH_STATUS);
      case Step.AddRegion(MemoryRegion region) ->
          with(
              FrontEndRequest.ADD_MEM_REG,
              new SingleRegion(payload(region, guestAddresses)),
              region.file());
      case Step.RemoveRegion(MemoryRegion region) ->
          plain(FrontEndRequest.REM_MEM_REG, new SingleRegion(payload(region, guestAddresses)));
      case Step.Translate(Translation one, MemoryTable memory) ->
          plain(
              FrontEndRequest.IOTLB_MSG,
              new Iotlb(
                  one.iova(),
                  one.length(),
                  guestAddresses
                      ? one.guestAddress()
                      : memory.userAddressOf(one.guestAddress(), one.length()),
                  one.access().bits(),
                  Iotlb.UPDATE));
      // Of all addresses the size does not fit into 64 bits; this is the one message for them.
      case Step.Invalidate(long first, long last) ->
          plain(
              FrontEndRequest.IOTLB_MSG,
              new Iotlb(first, last - first == -1 ? -1 : last - first + 1, 0, 0, Iotlb.INVALIDATE));
      case Step.GetInflight(int queues, int queueSize) ->
          plain(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, queues, queueSize))
              .answered(Answered.WITH_REGION);
      case Step.ReturnInflight _ -> inflight(received);
      case Step.Command(var command, var _) ->
          throw new IllegalStateException("vhost-user has no message for the command " + command);
      case Step.ResetDevice _ -> plain(FrontEndRequest.RESET_DEVICE, NoPayload.INSTANCE);
      case Step.BeginPresetup _ -> number(FrontEndRequest.PRESETUP, PresetupCode.START);
      case Step.EndPresetup _ -> number(FrontEndRequest.PRESETUP, PresetupCode.END);
    };
  }

  /**
   * {@return the request after a plan's last step, whose answer can only come when everything
   * before it was handled} An acknowledgement of the last SET_STATUS would say less: DPDK sends it
   * before it does the work.
   *
   * @param plan that ends with it
   */
  static StepMessage barrier(Plan plan) {
    FrontEndRequest request =
        plan.capabilities().hasStatus() ? FrontEndRequest.GET_STATUS : FrontEndRequest.GET_FEATURES;
    return plain(request, NoPayload.INSTANCE).answered(Answered.BARRIER);
  }

  @SuppressWarnings("unchecked") // a row is found by its own fact
  private static <T> StepMessage set(Step.Set<T> step, boolean guestAddresses) {
    Row<T> row = (Row<T>) ROWS.get(step.fact());
    if (row == null) {
      throw new IllegalStateException("vhost-user has no message for " + step.fact());
    }
    return row.body.of(row.request, step, guestAddresses);
  }

  private static StepMessage inflight(@Nullable InflightRegion region) {
    if (region == null) {
      throw new IllegalStateException("no in-flight region came in this plan");
    }
    return with(FrontEndRequest.SET_INFLIGHT_FD, region.layout(), region.file());
  }

  private static StepMessage log(FrontEndRequest request, LogTarget log) {
    return with(request, new LogRegion(log.size(), 0), log.descriptor())
        .answered(Answered.NOT_CHECKED);
  }

  private static MemoryRegionPayload payload(MemoryRegion region, boolean guestAddresses) {
    return new MemoryRegionPayload(
        region.guestAddress(),
        region.size(),
        guestAddresses ? region.guestAddress() : region.userAddress(),
        region.fileOffset());
  }

  private static StepMessage memory(
      FrontEndRequest request, MemoryTable table, boolean guestAddresses) {
    List<MemoryRegionPayload> regions = new ArrayList<>(table.regions().size());
    List<OwnedDescriptor> files = new ArrayList<>(table.regions().size());
    for (MemoryRegion region : table.regions()) {
      regions.add(payload(region, guestAddresses));
      files.add(region.file());
    }
    return new StepMessage(request, new MemoryTablePayload(regions), files, Answered.WITH_ZERO);
  }

  private static StepMessage address(Step.SetRingAddress step, boolean guestAddresses) {
    RingAddresses at = step.addresses();
    MemoryTable memory = guestAddresses ? null : step.memory();
    return plain(
        FrontEndRequest.SET_VRING_ADDR,
        new VringAddress(
            step.ring(),
            step.logUsed() ? VRING_F_LOG : 0,
            addressOf(memory, at.descriptor()),
            addressOf(memory, at.used()),
            addressOf(memory, at.available()),
            step.logAddress()));
  }

  /** The user address; without a table the address is sent as it is. */
  private static long addressOf(@Nullable MemoryTable memory, long address) {
    return memory == null ? address : memory.userAddressOf(address, 1);
  }

  private static StepMessage eventfd(FrontEndRequest request, Step.Set<RingEventfd> step) {
    return switch (step.value()) {
      case RingEventfd.NoFd _ -> plain(request, new VringDescriptor(step.ring(), true));
      case RingEventfd.Fd(OwnedDescriptor descriptor) ->
          with(request, new VringDescriptor(step.ring(), false), descriptor);
    };
  }

  private static StepMessage ring(FrontEndRequest request, Step step, int number) {
    return plain(request, new VringState(step.ring(), number));
  }

  private static StepMessage number(FrontEndRequest request, long value) {
    return plain(request, new U64(value));
  }

  private static StepMessage plain(FrontEndRequest request, Payload payload) {
    return new StepMessage(request, payload, List.of(), Answered.WITH_ZERO);
  }

  private static StepMessage with(
      FrontEndRequest request, Payload payload, OwnedDescriptor descriptor) {
    return new StepMessage(request, payload, List.of(descriptor), Answered.WITH_ZERO);
  }

  private StepMessage answered(Answered how) {
    return new StepMessage(request, payload, descriptors, how);
  }
}
