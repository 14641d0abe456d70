package io.github.jvhost.vhost.user;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.ShmemConfig;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Every method of a front end once, with what it is to send and what comes back. */
final class FrontEndCalls {
  static final MemoryRegionPayload REGION =
      new MemoryRegionPayload(0x10_0000, 0x2000, 0x7f00_0000_0000L, 0x1000);
  static final VringAddress ADDRESS = new VringAddress(3, 0, 0x1000, 0x3000, 0x2000, 0);
  static final SharedObject OBJECT = new SharedObject(new UUID(0x0123_4567_89ab_cdefL, 42));
  static final DeviceStateTransfer SAVE = new DeviceStateTransfer(Direction.SAVE);
  static final Inflight INFLIGHT = new Inflight(0x4000, 0x1000, 2, 256);

  /** One call of a method; the answer is what it gives. */
  interface Method {
    @Nullable Object on(VhostUserFrontEnd frontEnd, OwnedDescriptor event);
  }

  /** One that answers nothing. */
  interface Command {
    void on(VhostUserFrontEnd frontEnd, OwnedDescriptor event);
  }

  /**
   * One call.
   *
   * @param request that goes out
   * @param sent its payload
   * @param descriptors that go with it
   * @param asked whether an acknowledgement is asked for, where that can be
   * @param answer that comes back in any case
   * @param withDescriptor whether a descriptor comes with it
   * @param result of the method; a descriptor's place is taken by "descriptor"
   * @param method that is called
   */
  record Call(
      FrontEndRequest request,
      Payload sent,
      int descriptors,
      boolean asked,
      Optional<Payload> answer,
      boolean withDescriptor,
      @Nullable Object result,
      Method method) {
    @Override
    public String toString() {
      return request + (sent == NoPayload.INSTANCE ? "" : " " + sent);
    }
  }

  private final List<Call> calls = new ArrayList<>();

  private FrontEndCalls() {
    negotiation();
    memory();
    rings();
    network();
    device();
    migration();
  }

  static List<Call> all() {
    return new FrontEndCalls().calls;
  }

  private void told(FrontEndRequest request, Payload sent, int descriptors, Command command) {
    add(request, sent, descriptors, false, command);
  }

  private void confirmed(FrontEndRequest request, Payload sent, int descriptors, Command command) {
    add(request, sent, descriptors, true, command);
  }

  private void add(
      FrontEndRequest request, Payload sent, int descriptors, boolean asked, Command command) {
    Method method =
        (frontEnd, event) -> {
          command.on(frontEnd, event);
          return null;
        };
    calls.add(new Call(request, sent, descriptors, asked, Optional.empty(), false, null, method));
  }

  private void answered(
      FrontEndRequest request,
      Payload sent,
      Payload answer,
      @Nullable Object result,
      Method method) {
    calls.add(new Call(request, sent, 0, false, Optional.of(answer), false, result, method));
  }

  private void given(FrontEndRequest request, Payload sent, Payload answer, Method method) {
    calls.add(new Call(request, sent, 0, false, Optional.of(answer), true, "descriptor", method));
  }

  private void negotiation() {
    NoPayload none = NoPayload.INSTANCE;
    answered(FrontEndRequest.GET_FEATURES, none, new U64(-2L), -2L, (fe, _) -> fe.getFeatures());
    long features = ScriptedBackEnd.features();
    confirmed(
        FrontEndRequest.SET_FEATURES, new U64(features), 0, (fe, _) -> fe.setFeatures(features));
    told(FrontEndRequest.SET_OWNER, none, 0, (fe, _) -> fe.setOwner());
    told(FrontEndRequest.RESET_OWNER, none, 0, (fe, _) -> fe.resetOwner());
    answered(
        FrontEndRequest.GET_PROTOCOL_FEATURES,
        none,
        new U64(77),
        77L,
        (fe, _) -> fe.getProtocolFeatures());
    told(
        FrontEndRequest.SET_PROTOCOL_FEATURES,
        new U64(ScriptedBackEnd.ALL),
        0,
        (fe, _) -> fe.setProtocolFeatures(ScriptedBackEnd.ALL));
    answered(FrontEndRequest.GET_QUEUE_NUM, none, new U64(8), 8L, (fe, _) -> fe.getQueueNum());
    answered(
        FrontEndRequest.GET_MAX_MEM_SLOTS,
        none,
        new U64(512),
        512L,
        (fe, _) -> fe.getMaxMemSlots());
    told(FrontEndRequest.PRESETUP, new U64(1), 0, (fe, _) -> fe.presetup(true));
    told(FrontEndRequest.PRESETUP, new U64(2), 0, (fe, _) -> fe.presetup(false));
  }

  private void memory() {
    confirmed(
        FrontEndRequest.SET_MEM_TABLE,
        new MemoryTablePayload(List.of(REGION)),
        1,
        (fe, event) -> fe.setMemTable(List.of(REGION), List.of(event)));
    confirmed(
        FrontEndRequest.ADD_MEM_REG,
        new SingleRegion(REGION),
        1,
        (fe, event) -> fe.addMemReg(REGION, event));
    confirmed(
        FrontEndRequest.REM_MEM_REG, new SingleRegion(REGION), 0, (fe, _) -> fe.remMemReg(REGION));
    var log = new LogRegion(0x2000, 0x1000);
    calls.add(
        new Call(
            FrontEndRequest.SET_LOG_BASE,
            log,
            1,
            false,
            Optional.of(NoPayload.INSTANCE),
            false,
            null,
            (fe, event) -> {
              fe.setLogBase(log, event);
              return null;
            }));
    told(FrontEndRequest.SET_LOG_FD, NoPayload.INSTANCE, 1, (fe, event) -> fe.setLogFd(event));
    var update = translation();
    confirmed(FrontEndRequest.IOTLB_MSG, update, 0, (fe, _) -> fe.iotlb(update));
  }

  private void rings() {
    confirmed(
        FrontEndRequest.SET_VRING_NUM,
        new VringState(3, 256),
        0,
        (fe, _) -> fe.setVringNum(3, 256));
    confirmed(FrontEndRequest.SET_VRING_ADDR, ADDRESS, 0, (fe, _) -> fe.setVringAddr(ADDRESS));
    confirmed(
        FrontEndRequest.SET_VRING_BASE,
        new VringState(3, 0x8001_8001),
        0,
        (fe, _) -> fe.setVringBase(3, 0x8001_8001));
    answered(
        FrontEndRequest.GET_VRING_BASE,
        new VringState(3, 0),
        new VringState(3, 0x8001_8001),
        0x8001_8001,
        (fe, _) -> fe.getVringBase(3));
    answered(
        FrontEndRequest.GET_VRING_BASE_SKIP_DRAIN,
        new VringState(3, 0),
        new VringState(3, 4711),
        4711,
        (fe, _) -> fe.getVringBaseSkipDrain(3));
    var with = new VringDescriptor(255, false);
    var without = new VringDescriptor(255, true);
    confirmed(FrontEndRequest.SET_VRING_KICK, with, 1, (fe, event) -> fe.setVringKick(255, event));
    confirmed(FrontEndRequest.SET_VRING_KICK, without, 0, (fe, _) -> fe.setVringKick(255, null));
    confirmed(FrontEndRequest.SET_VRING_CALL, with, 1, (fe, event) -> fe.setVringCall(255, event));
    confirmed(FrontEndRequest.SET_VRING_CALL, without, 0, (fe, _) -> fe.setVringCall(255, null));
    confirmed(FrontEndRequest.SET_VRING_ERR, with, 1, (fe, event) -> fe.setVringErr(255, event));
    confirmed(FrontEndRequest.SET_VRING_ERR, without, 0, (fe, _) -> fe.setVringErr(255, null));
    confirmed(
        FrontEndRequest.SET_VRING_ENABLE,
        new VringState(1, 1),
        0,
        (fe, _) -> fe.setVringEnable(1, true));
    confirmed(
        FrontEndRequest.SET_VRING_ENDIAN,
        new VringState(1, 1),
        0,
        (fe, _) -> fe.setVringEndian(1, true));
    told(FrontEndRequest.VRING_KICK, new VringState(1, 0), 0, (fe, _) -> fe.vringKick(1));
  }

  private void network() {
    byte[] mac = {0x52, 0x54, 0, 1, 2, 3};
    told(FrontEndRequest.SEND_RARP, U64.ofMac(mac), 0, (fe, _) -> fe.sendRarp(mac));
    confirmed(FrontEndRequest.NET_SET_MTU, new U64(9000), 0, (fe, _) -> fe.setMtu(9000));
  }

  private void device() {
    confirmed(
        FrontEndRequest.SET_BACKEND_REQ_FD,
        NoPayload.INSTANCE,
        1,
        (fe, event) -> fe.setBackendReqFd(event));
    var config = new ConfigSpace(4, ConfigSpace.LIVE_MIGRATION, Bytes.copyOf((byte) 1, (byte) 2));
    answered(
        FrontEndRequest.GET_CONFIG,
        new ConfigSpace(4, 0, Bytes.copyOf((byte) 0, (byte) 0)),
        new ConfigSpace(4, 0, config.content()),
        config.content(),
        (fe, _) -> Bytes.copyOf(fe.getConfig(4, 2)));
    confirmed(
        FrontEndRequest.SET_CONFIG,
        config,
        0,
        (fe, _) -> fe.setConfig(4, new byte[] {1, 2}, ConfigSpace.LIVE_MIGRATION));
    confirmed(FrontEndRequest.RESET_DEVICE, NoPayload.INSTANCE, 0, (fe, _) -> fe.resetDevice());
    confirmed(FrontEndRequest.SET_STATUS, new U64(0xf), 0, (fe, _) -> fe.setStatus(0xf));
    answered(
        FrontEndRequest.GET_STATUS,
        NoPayload.INSTANCE,
        new U64(0xff),
        0xff,
        (fe, _) -> fe.getStatus());
    given(
        FrontEndRequest.GET_SHARED_OBJECT,
        OBJECT,
        OBJECT,
        (fe, _) -> taken(fe.getSharedObject(OBJECT)));
    answered(
        FrontEndRequest.GET_SHARED_OBJECT,
        OBJECT,
        new U64(1),
        null,
        (fe, _) -> fe.getSharedObject(OBJECT));
    List<Long> sizes = new ArrayList<>(Collections.nCopies(ShmemConfig.ENTRIES, 0L));
    sizes.set(7, 0x10_0000L);
    var shmem = new ShmemConfig(sizes);
    answered(
        FrontEndRequest.GET_SHMEM_CONFIG,
        NoPayload.INSTANCE,
        shmem,
        shmem,
        (fe, _) -> fe.getShmemConfig());
  }

  private void migration() {
    NoPayload none = NoPayload.INSTANCE;
    given(FrontEndRequest.POSTCOPY_ADVISE, none, none, (fe, _) -> taken(fe.postcopyAdvise()));
    confirmed(FrontEndRequest.POSTCOPY_LISTEN, none, 0, (fe, _) -> fe.postcopyListen());
    answered(
        FrontEndRequest.POSTCOPY_END,
        none,
        new U64(0),
        null,
        (fe, _) -> {
          fe.postcopyEnd();
          return null;
        });
    var wanted = empty();
    given(
        FrontEndRequest.GET_INFLIGHT_FD,
        wanted,
        INFLIGHT,
        (fe, _) -> taken(fe.getInflightFd(2, 256).region()));
    answered(
        FrontEndRequest.GET_INFLIGHT_FD,
        wanted,
        wanted,
        new InflightAnswer(wanted, null),
        (fe, _) -> fe.getInflightFd(2, 256));
    confirmed(
        FrontEndRequest.SET_INFLIGHT_FD,
        INFLIGHT,
        1,
        (fe, event) -> fe.setInflightFd(INFLIGHT, event));
    calls.add(
        new Call(
            FrontEndRequest.SET_DEVICE_STATE_FD,
            SAVE,
            1,
            false,
            Optional.of(new U64(DeviceStateTransfer.NO_DESCRIPTOR)),
            false,
            Optional.empty(),
            (fe, event) -> fe.setDeviceStateFd(SAVE, event)));
    calls.add(
        new Call(
            FrontEndRequest.SET_DEVICE_STATE_FD,
            SAVE,
            1,
            false,
            Optional.of(new U64(0)),
            true,
            "descriptor",
            (fe, event) -> taken(fe.setDeviceStateFd(SAVE, event).orElse(null))));
    answered(
        FrontEndRequest.CHECK_DEVICE_STATE,
        none,
        new U64(0),
        null,
        (fe, _) -> {
          fe.checkDeviceState();
          return null;
        });
  }

  static Iotlb translation() {
    return new Iotlb(0x5000, 0x1000, 0x6000, 3, Iotlb.UPDATE);
  }

  static Inflight empty() {
    return new Inflight(0, 0, 2, 256);
  }

  private static Object taken(@Nullable OwnedDescriptor descriptor) {
    if (descriptor == null) {
      return "nothing";
    }
    descriptor.close();
    return "descriptor";
  }
}
