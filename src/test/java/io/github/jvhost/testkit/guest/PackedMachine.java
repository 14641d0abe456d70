package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.FrameDrop;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: a VMM in miniature with one NIC of packed rings behind a mock back end, and as little
 * of a front end as that needs.
 */
final class PackedMachine implements AutoCloseable {
  private static final int PAIRS = 2;
  private static final int RINGS = 2 * PAIRS;

  final DescriptorLedger ledger;
  final GuestMemory memory;
  final VirtioNet device;
  final GuestNic nic;
  final MockBackEnd backEnd;
  private final SwitchPort port;
  private final List<EventFd> kicks;
  private final List<EventFd> calls;
  private final boolean descriptorLog;
  private final boolean halfBase;
  private @Nullable VhostUserChannel channel;

  PackedMachine(DescriptorLedger ledger, Path socket, Personality personality, SwitchPort port) {
    this.ledger = ledger;
    this.port = port;
    memory = GuestMemory.builder(ledger).region("ram", 0, 16 << 20).build();
    long packed = NetFeature.RING_PACKED.mask();
    device =
        VirtioNet.builder("nic")
            .mac(new MacAddress(0x5254_0000_0001L))
            .maxQueuePairs(PAIRS)
            .queueSize(VirtioNet.MAX_QUEUE_SIZE)
            .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask() | packed)
            .build();
    BackEndOffer offer = BackEndOffer.of(personality);
    // DPDK takes the log address for the descriptors', and tells no used half.
    descriptorLog = personality.baseSetsUsed();
    halfBase = personality.baseSetsUsed();
    backEnd =
        MockBackEnd.builder(socket, ledger)
            .offer(offer.withFeatures(offer.features() | packed))
            .port(port)
            .start();
    kicks = wires("kick");
    calls = wires("call");
    nic = new GuestNic(device, kicks, calls, DeviceAccess.direct(device, memory, calls.getLast()));
  }

  private List<EventFd> wires(String what) {
    return IntStream.rangeClosed(0, RINGS)
        .mapToObj(ring -> EventFd.create(ledger, what + " " + ring))
        .toList();
  }

  /** Connects, and starts the rings where the device says that they stand. */
  void start() {
    channel = VhostUserChannel.connect(backEnd.socket(), "nic", Dialect.UPSTREAM, ledger, soon());
    U64 offered = (U64) ask(FrontEndRequest.GET_PROTOCOL_FEATURES, NoPayload.INSTANCE);
    channel().send(FrontEndRequest.SET_PROTOCOL_FEATURES, offered, List.of(), false, soon());
    channel().negotiated(offered.value());
    ok(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE);
    ok(FrontEndRequest.SET_FEATURES, new U64(features()));
    List<MemoryRegion> regions = memory.table().regions();
    ok(
        FrontEndRequest.SET_MEM_TABLE,
        new MemoryTablePayload(
            regions.stream()
                .map(r ->
                    new MemoryRegionPayload(
                        r.guestAddress(), r.size(), r.userAddress(), r.fileOffset()))
                .toList()),
        regions.stream().map(MemoryRegion::file).toArray(OwnedDescriptor[]::new));
    for (int i = 0; i < 2 * device.backEndQueuePairs(); i++) {
      QueueState queue = device.queue(i);
      ok(FrontEndRequest.SET_VRING_NUM, new VringState(i, queue.size()));
      ok(FrontEndRequest.SET_VRING_BASE, new VringState(i, queue.next().toVhostBase()));
      tellAddress(i, 0);
      ok(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(i, false), calls.get(i).descriptor());
      ok(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(i, false), kicks.get(i).descriptor());
    }
    enable();
    if (ProtocolFeature.STATUS.isIn(channel().protocolFeatures())) {
      ok(FrontEndRequest.SET_STATUS, new U64(0xf));
    }
    signalAll();
  }

  /** Enables the rings that the guest uses now, and no others. */
  void enable() {
    for (int i = 0; i < 2 * device.backEndQueuePairs(); i++) {
      boolean used = i < 2 * device.currentQueuePairs();
      ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(i, used ? 1 : 0));
    }
  }

  private long features() {
    return device.backEndFeatures() | VhostFeature.PROTOCOL_FEATURES;
  }

  /** Begins to log what the back end writes. */
  void log(long bytes, OwnedDescriptor file) {
    channel()
        .send(FrontEndRequest.SET_LOG_BASE, new LogRegion(bytes, 0), List.of(file), false, soon());
    channel().awaitReply(soon());
    ok(FrontEndRequest.SET_FEATURES, new U64(features() | VhostFeature.LOG_ALL));
    for (int i = 0; i < 2 * device.backEndQueuePairs(); i++) {
      tellAddress(i, VringAddress.LOG);
    }
  }

  private void tellAddress(int ring, int flags) {
    QueueState queue = device.queue(ring);
    ok(
        FrontEndRequest.SET_VRING_ADDR,
        new VringAddress(
            ring,
            flags,
            memory.table().userAddressOf(queue.desc(), 16L * queue.size()),
            memory.table().userAddressOf(queue.used(), 4),
            memory.table().userAddressOf(queue.avail(), 4),
            descriptorLog ? queue.desc() : queue.used()));
  }

  /** Stops the rings, and lets the device know where. */
  void stop() {
    for (int i = 0; i < 2 * device.backEndQueuePairs(); i++) {
      int base = ((VringState) ask(FrontEndRequest.GET_VRING_BASE, new VringState(i, 0))).num();
      int whole = halfBase ? base | base << 16 : base;
      device.setNextIndex(i, RingIndex.fromVhostBase(whole, true));
    }
    channel().close();
    channel = null;
  }

  /** Sends a frame as if the guest had. */
  void transmit(byte[] frame) {
    port.transmit(frame);
  }

  /** Frames that the back end did not hand on, as it says itself. */
  long dropped() {
    long dropped = port.dropped();
    for (FrameDrop why : FrameDrop.values()) {
      dropped += backEnd.record().drops(why);
    }
    return dropped;
  }

  void signalAll() {
    kicks.forEach(EventFd::signal);
    calls.forEach(EventFd::signal);
  }

  private VhostUserChannel channel() {
    return Objects.requireNonNull(channel, "connected");
  }

  private Payload ask(FrontEndRequest request, Payload payload) {
    channel().send(request, payload, List.of(), false, soon());
    return channel().awaitReply(soon()).payload();
  }

  private void ok(FrontEndRequest request, Payload payload, OwnedDescriptor... descriptors) {
    channel().send(request, payload, List.of(descriptors), true, soon());
    assertThat(((U64) channel().awaitReply(soon()).payload()).value())
        .as("%s %s", request, payload)
        .isZero();
  }

  private static Deadline soon() {
    return Deadline.in(10, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    if (channel != null) {
      channel.close();
    }
    backEnd.close();
    port.close();
    kicks.forEach(EventFd::close);
    calls.forEach(EventFd::close);
    memory.close();
  }
}
