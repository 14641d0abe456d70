package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
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
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.virtio.NetFeature;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongUnaryOperator;

/**
 * Test aid: one queue pair of a guest in real memory, and just enough of a front end to put it
 * behind a real socket.
 *
 * <pre>
 *   0x10000 x ring: desc   +0x2000: avail   +0x3000: used   buffers of 2 KiB from 0x100000 x (ring + 1)
 * </pre>
 */
final class TestFrontEnd implements AutoCloseable {
  static final int SIZE = 8;
  static final int BUFFER = 2048;
  static final int HEADER = 12;
  static final long FEATURES =
      VhostFeature.PROTOCOL_FEATURES
          | NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MRG_RXBUF, NetFeature.MQ);

  final GuestMemory memory;
  final VhostUserChannel channel;
  final EventFd[] kicks = new EventFd[2];
  final EventFd[] calls = new EventFd[2];

  /** What is told. */
  long features = FEATURES;

  /** What the driver says in place of a guest address. */
  LongUnaryOperator said = LongUnaryOperator.identity();

  private final int[] avail = new int[2];

  TestFrontEnd(MockBackEnd backEnd, DescriptorLedger ledger) {
    this(
        VhostUserChannel.connect(
            backEnd.socket(), "nic", backEnd.offer().dialect(), ledger, soon()),
        ledger);
  }

  TestFrontEnd(VhostUserChannel channel, DescriptorLedger ledger) {
    memory = GuestMemory.builder(ledger).region("ram", 0, 4 << 20).build();
    this.channel = channel;
    for (int i = 0; i < 2; i++) {
      kicks[i] = EventFd.create(ledger, "ring " + i + " kick");
      calls[i] = EventFd.create(ledger, "ring " + i + " call");
    }
  }

  static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(10));
  }

  /** A question, and its answer. */
  Payload ask(FrontEndRequest request, Payload payload) {
    channel.send(request, payload, List.of(), false, soon());
    return reply();
  }

  /** Something that may have descriptors in both directions; the answer's are the caller's. */
  Reply exchange(FrontEndRequest request, Payload payload, OwnedDescriptor... descriptors) {
    channel.send(request, payload, List.of(descriptors), false, soon());
    return channel.awaitReply(soon());
  }

  /** Something told, and its acknowledgement. */
  long tell(FrontEndRequest request, Payload payload, OwnedDescriptor... descriptors) {
    channel.send(request, payload, List.of(descriptors), true, soon());
    return ((U64) reply()).value();
  }

  private Payload reply() {
    Reply reply = channel.awaitReply(soon());
    assertThat(reply.descriptors()).isEmpty();
    return reply.payload();
  }

  void negotiate() {
    U64 offered = (U64) ask(FrontEndRequest.GET_PROTOCOL_FEATURES, NoPayload.INSTANCE);
    channel.send(FrontEndRequest.SET_PROTOCOL_FEATURES, offered, List.of(), false, soon());
    channel.negotiated(offered.value());
    assertThat(ProtocolFeature.REPLY_ACK.isIn(offered.value())).isTrue();
    ok(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE);
    ok(FrontEndRequest.SET_FEATURES, new U64(features));
    if (!ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(offered.value())) {
      tellMemory();
    }
  }

  MemoryTablePayload memoryTable() {
    return new MemoryTablePayload(
        memory.table().regions().stream()
            .map(r ->
                new MemoryRegionPayload(
                    r.guestAddress(),
                    r.size(),
                    guestAddresses() ? r.guestAddress() : r.userAddress(),
                    r.fileOffset()))
            .toList());
  }

  void tellMemory() {
    ok(
        FrontEndRequest.SET_MEM_TABLE,
        memoryTable(),
        memory.table().regions().stream().map(MemoryRegion::file).toArray(OwnedDescriptor[]::new));
  }

  private boolean guestAddresses() {
    return ProtocolFeature.GPA_ADDRESSES.isIn(channel.protocolFeatures());
  }

  /** Turns logging on, with a log that covers all of memory and that nobody reads. */
  void logEverything() {
    try (MemoryFile log = MemoryFile.create(kicks[0].descriptor().ledger(), "log", 4096)) {
      // LOG_SHMFD answers, and how long the answer is differs.
      exchange(FrontEndRequest.SET_LOG_BASE, new LogRegion(4096, 0), log.descriptor());
    }
    ok(FrontEndRequest.SET_FEATURES, new U64(features | VhostFeature.LOG_ALL));
  }

  void start() {
    negotiate();
    startRings();
  }

  void startRings() {
    for (int i = 0; i < 2; i++) {
      ok(FrontEndRequest.SET_VRING_NUM, new VringState(i, SIZE));
      ok(FrontEndRequest.SET_VRING_BASE, new VringState(i, usedIndex(i)));
      tellAddress(i, 0);
      ok(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(i, false), calls[i].descriptor());
      ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(i, 1));
      ok(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(i, false), kicks[i].descriptor());
    }
    if (ProtocolFeature.STATUS.isIn(channel.protocolFeatures())) {
      ok(FrontEndRequest.SET_STATUS, new U64(0xf));
    }
  }

  void tellAddress(int ring, int flags) {
    ok(
        FrontEndRequest.SET_VRING_ADDR,
        new VringAddress(
            ring,
            flags,
            told(at(ring)),
            told(at(ring) + 0x3000),
            told(at(ring) + 0x2000),
            behindIommu() ? told(at(ring) + 0x3000) : at(ring) + 0x3000));
  }

  private long told(long guestAddress) {
    return guestAddresses() || behindIommu()
        ? said.applyAsLong(guestAddress)
        : memory.table().userAddressOf(guestAddress, 0x1000);
  }

  private boolean behindIommu() {
    return (features & VhostFeature.IOMMU_PLATFORM) != 0;
  }

  void ok(FrontEndRequest request, Payload payload, OwnedDescriptor... descriptors) {
    assertThat(tell(request, payload, descriptors)).as("%s %s", request, payload).isZero();
  }

  int stop(int ring) {
    return ((VringState) ask(FrontEndRequest.GET_VRING_BASE, new VringState(ring, 0))).num();
  }

  /**
   * Makes one RX buffer of this length available, and does not kick: the back end looks when a
   * frame comes.
   */
  void offerBuffer(int length) {
    post(0, 2 /* WRITE */, buffer(0, avail[0]), length);
  }

  /** Puts a frame into the TX ring and kicks. */
  void send(byte[] frame) {
    long buffer = buffer(1, avail[1]);
    memory.copyIn(buffer + HEADER, frame);
    post(1, 0, buffer, HEADER + frame.length);
    kicks[1].signal();
  }

  void post(int ring, int flags, long address, int length) {
    int slot = avail[ring] % SIZE;
    writeDescriptor(ring, slot, address, length, flags, 0);
    memory.putShort(at(ring) + 0x2000 + 4 + 2L * slot, (short) slot);
    avail[ring]++;
    memory.putShortRelease(at(ring) + 0x2000 + 2, (short) avail[ring]);
  }

  void writeDescriptor(int ring, int slot, long address, int length, int flags, int next) {
    long descriptor = at(ring) + 16L * slot;
    memory.putLong(descriptor, said.applyAsLong(address));
    memory.putInt(descriptor + 8, length);
    memory.putShort(descriptor + 12, (short) flags);
    memory.putShort(descriptor + 14, (short) next);
  }

  /** Puts all indexes two steps before they wrap. */
  void wrapSoon() {
    for (int i = 0; i < 2; i++) {
      avail[i] = 65534;
      memory.putShort(at(i) + 0x2000 + 2, (short) avail[i]);
      memory.putShort(at(i) + 0x3000 + 2, (short) avail[i]);
    }
  }

  /** Tells the device not to signal calls for this ring. */
  void noInterrupt(int ring) {
    memory.putShort(at(ring) + 0x2000, (short) 1);
  }

  int usedIndex(int ring) {
    return memory.getShortAcquire(at(ring) + 0x3000 + 2) & 0xffff;
  }

  int usedLength(int ring, int index) {
    return memory.getInt(at(ring) + 0x3000 + 4 + 8L * (index % SIZE) + 4);
  }

  byte[] received(int index, int from, int length) {
    byte[] bytes = new byte[length];
    memory.copyOut(buffer(0, index) + from, bytes);
    return bytes;
  }

  static long buffer(int ring, int index) {
    return 0x100000L * (ring + 1) + (long) BUFFER * (index % SIZE);
  }

  static long at(int ring) {
    return 0x10000L * ring;
  }

  /** Waits for the call of a ring; false when none came in time. */
  boolean called(int ring) {
    try (Poller poller = new Poller(1)) {
      poller.add(calls[ring].descriptor().number(), Poller.IN);
      return poller.await(Duration.ofSeconds(10).toNanos()) > 0 && calls[ring].drain() > 0;
    }
  }

  /** A broadcast of some station; the rest is a pattern. */
  static byte[] frame(int seed, int length) {
    byte[] frame = new byte[length];
    for (int i = 0; i < length; i++) {
      frame[i] = (byte) (seed * 31 + i);
    }
    Arrays.fill(frame, 0, 12, (byte) 0);
    frame[0] = -1;
    frame[1] = -1;
    frame[6] = 2;
    frame[12] = 0x12;
    return frame;
  }

  @Override
  public void close() {
    for (int i = 0; i < 2; i++) {
      kicks[i].close();
      calls[i].close();
    }
    channel.close();
    memory.close();
  }
}
