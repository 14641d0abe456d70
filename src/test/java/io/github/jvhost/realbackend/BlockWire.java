package io.github.jvhost.realbackend;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.user.VhostUserFrontEnd;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A disk of two queues and one connection on which single messages can be said, in any order: for
 * finding out what a back end does with each.
 */
final class BlockWire implements AutoCloseable {
  static final long FEATURES = NetFeature.VERSION_1.mask() | VhostFeature.PROTOCOL_FEATURES;
  private static final Duration WITHIN = Duration.ofSeconds(10);
  private static final int QUEUES = 2;

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final GuestMemory memory =
      GuestMemory.builder(ledger).region("ram", 0, QUEUES * BlockQueue.BYTES).build();
  final List<BlockQueue> queues = new ArrayList<>();
  final VhostUserFrontEnd frontEnd;
  final long offered;
  final long offeredProtocolFeatures;

  /** Connects and negotiates these protocol features, as far as they are offered. */
  BlockWire(Path socket, ProtocolFeature... wanted) {
    for (int i = 0; i < QUEUES; i++) {
      queues.add(new BlockQueue(memory, i * BlockQueue.BYTES, ledger));
    }
    frontEnd =
        new VhostUserFrontEnd(
            VhostUserChannel.connect(socket, "disk", Dialect.UPSTREAM, ledger, deadline()), WITHIN);
    offered = frontEnd.getFeatures();
    offeredProtocolFeatures = frontEnd.getProtocolFeatures();
    long acknowledged =
        offeredProtocolFeatures
            & (ProtocolFeature.maskOf(wanted) | ProtocolFeature.REPLY_ACK.mask());
    frontEnd.setProtocolFeatures(acknowledged);
    frontEnd.setOwner();
  }

  static Deadline deadline() {
    return Deadline.after(WITHIN);
  }

  BlockQueue queue(int ring) {
    return queues.get(ring);
  }

  void features() {
    frontEnd.setFeatures(FEATURES);
  }

  void memoryTable() {
    memoryTable(memory);
  }

  /** Tells the table that {@link #memory} has, with another memory's files. */
  void memoryTable(GuestMemory files) {
    var regions = new ArrayList<MemoryRegionPayload>();
    files.table().regions().forEach(region -> regions.add(payload(region)));
    frontEnd.setMemTable(
        regions, files.table().regions().stream().map(MemoryRegion::file).toList());
  }

  /** Tells one region more. */
  void addRegion(GuestMemory one) {
    MemoryRegion region = one.table().regions().getFirst();
    frontEnd.addMemReg(payload(region), region.file());
  }

  /** Takes it away again. */
  void removeRegion(GuestMemory one) {
    frontEnd.remMemReg(payload(one.table().regions().getFirst()));
  }

  private static MemoryRegionPayload payload(MemoryRegion r) {
    return new MemoryRegionPayload(r.guestAddress(), r.size(), r.userAddress(), r.fileOffset());
  }

  void address(int ring) {
    frontEnd.setVringAddr(addressOf(ring, queue(ring), false));
  }

  VringAddress addressOf(int ring, BlockQueue queue, boolean logged) {
    RingAddresses at = queue.addresses();
    long user = GuestMemory.USER_ADDRESS_BASE;
    return new VringAddress(
        ring,
        logged ? VringAddress.LOG : 0,
        at.descriptor() + user,
        at.used() + user,
        at.available() + user,
        logged ? at.used() : 0);
  }

  void size(int ring) {
    frontEnd.setVringNum(ring, BlockQueue.SIZE);
  }

  void base(int ring, int base) {
    frontEnd.setVringBase(ring, base);
  }

  void call(int ring) {
    frontEnd.setVringCall(ring, queue(ring).call.descriptor());
  }

  void kick(int ring) {
    frontEnd.setVringKick(ring, queue(ring).kick.descriptor());
  }

  void enable(int ring) {
    frontEnd.setVringEnable(ring, true);
  }

  /** All of a ring, in the order that works everywhere. */
  void start(int ring, int base) {
    start(ring, queue(ring), base);
  }

  /** The same for a queue that is somewhere else. */
  void start(int ring, BlockQueue queue, int base) {
    size(ring);
    base(ring, base);
    frontEnd.setVringAddr(addressOf(ring, queue, false));
    frontEnd.setVringCall(ring, queue.call.descriptor());
    enable(ring);
    frontEnd.setVringKick(ring, queue.kick.descriptor());
  }

  @Override
  public void close() {
    frontEnd.channel().close();
    queues.forEach(BlockQueue::close);
    memory.close();
    if (ledger.openCount() != 0) {
      throw new AssertionError("left open: " + ledger.describeOpen());
    }
  }
}
