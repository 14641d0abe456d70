package io.github.jvhost.realbackend;

import static io.github.jvhost.realbackend.BlockWire.deadline;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.testkit.qemu.StorageDaemon;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the profile LIBVHOST_USER claims, each claim tried on QEMU's storage daemon, message by
 * message. Skipped where it is not installed.
 */
@Timeout(60)
@ResourceLock("real back ends")
class LibvhostUserTest {
  private DiskFile disk;
  private StorageDaemon daemon;
  private BlockWire wire;
  private ProcessView process;

  @BeforeEach
  void start() {
    Optional<String> reason = StorageDaemon.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    disk = DiskFile.create();
    daemon = StorageDaemon.builder(disk.file(), disk.socket()).queues(2).start(deadline());
    process = new ProcessView(daemon.processId());
    wire =
        new BlockWire(
            daemon.socket(),
            ProtocolFeature.MQ,
            ProtocolFeature.CONFIG,
            ProtocolFeature.CONFIGURE_MEM_SLOTS,
            ProtocolFeature.LOG_SHMFD,
            ProtocolFeature.INFLIGHT_SHMFD);
  }

  @AfterEach
  void nothingIsLeft() {
    if (disk != null) {
      wire.close();
      daemon.close();
      disk.close();
    }
  }

  private BlockQueue ring(int index) {
    return wire.queue(index);
  }

  @Test
  void offersNeitherStatusNorPackedRingsNorInflightRegions() {
    assertThat(wire.offered & VhostFeature.PROTOCOL_FEATURES).isNotZero();
    assertThat(wire.offered & NetFeature.RING_PACKED.mask()).isZero();
    assertThat(ProtocolFeature.STATUS.isIn(wire.offeredProtocolFeatures)).isFalse();
    // Of the library, yes; the daemon of QEMU 7.2 does not ask for it.
    assertThat(ProtocolFeature.INFLIGHT_SHMFD.isIn(wire.offeredProtocolFeatures)).isFalse();
    assertThat(ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(wire.offeredProtocolFeatures)).isTrue();
    assertThat(wire.frontEnd.getQueueNum()).isEqualTo(2);
  }

  @Test
  void tellsItsCapacityInTheConfigurationSpace() {
    var config = ByteBuffer.wrap(wire.frontEnd.getConfig(0, 60)).order(ByteOrder.LITTLE_ENDIAN);

    assertThat(config.getLong(0)).as("sectors").isEqualTo(DiskFile.SECTORS);
    assertThat(config.getInt(20)).as("block size").isEqualTo(BlockQueue.SECTOR);
    assertThat(config.getShort(34)).as("queues").isEqualTo((short) 2);
  }

  @Test
  void readsAndWritesSectorsAndSaysWhereItStopped() {
    wire.features();
    wire.memoryTable();
    wire.start(0, 0);
    byte[] other = disk.sector(40);

    assertThat(ring(0).read(3, deadline())).isEqualTo(disk.sector(3));
    int written = ring(0).submitWrite(5, other);
    ring(0).kick.signal();
    ring(0).awaitUsed(2, deadline());
    assertThat(ring(0).content(written)).isEqualTo(other);
    assertThat(disk.sectorNow(5)).isEqualTo(other);

    assertThat(wire.frontEnd.getVringBase(0)).isEqualTo(2);
  }

  @Test
  void anEqualMemoryTableIsMappedAnewAndRingsWithIt() {
    wire.features();
    wire.memoryTable();
    wire.start(0, 0);
    assertThat(ring(0).read(3, deadline())).isEqualTo(disk.sector(3));
    Set<String> before = process.mappedMemoryFiles();
    assertThat(before).hasSize(1);

    try (var copy =
            GuestMemory.builder(wire.ledger).region("ram", 0, wire.memory.totalBytes()).build();
        var queue = new BlockQueue(copy, 0, wire.ledger)) {
      queue.goOnAt(1, 1);
      wire.memoryTable(copy);

      assertThat(process.mappedMemoryFiles()).hasSize(1).isNotEqualTo(before);
      // The ring was told before, and is found in the new file without being told again.
      int request = queue.submitRead(4);
      ring(0).kick.signal();
      queue.awaitUsed(2, deadline());
      assertThat(queue.content(request)).isEqualTo(disk.sector(4));
      assertThat(ring(0).usedIndex()).as("in the old file").isEqualTo(1);
      assertThat(wire.frontEnd.getVringBase(0)).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void takesTheUsedIndexFromMemoryAsTheAddressIsToldAndTheBaseIsNotOverwritten(boolean baseFirst) {
    wire.features();
    wire.memoryTable();
    wire.size(0);
    ring(0).goOnAt(10, 4);
    if (baseFirst) {
      wire.base(0, 10);
    }
    wire.address(0);
    // What memory says later does not count any more.
    ring(0).goOnAt(10, 20);
    if (!baseFirst) {
      wire.base(0, 10);
    }
    wire.call(0);
    wire.enable(0);
    wire.kick(0);

    int request = ring(0).submitRead(7);
    ring(0).kick.signal();
    ring(0).awaitUsed(5, deadline());

    assertThat(ring(0).usedHead(4)).isEqualTo(ring(0).headOf(request));
    assertThat(ring(0).content(request)).isEqualTo(disk.sector(7));
    assertThat(wire.frontEnd.getVringBase(0)).isEqualTo(11);
  }

  /** So only the answer to what comes behind a message says that it was taken. */
  @Test
  void acknowledgesAnAddressOutsideOfMemoryAsIfItWereRightAndThenHangsUp() {
    wire.features();
    wire.memoryTable();
    wire.size(0);

    wire.frontEnd.setVringAddr(new VringAddress(0, 0, 1, 2, 3, 0));

    assertHangsUp();
    daemon.awaitOutput("Invalid vring_addr message", deadline());
  }

  private void assertHangsUp() {
    assertThatThrownBy(() -> wire.frontEnd.getFeatures())
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.RECONNECT));
    assertThat(daemon.isAlive()).isTrue();
    // It serves the next front end nevertheless.
    try (var again = new BlockWire(daemon.socket())) {
      assertThat(again.offered).isEqualTo(wire.offered);
    }
  }

  @Test
  void signalsACallOnceWhenItIsTold() {
    wire.features();
    wire.memoryTable();
    wire.size(0);
    wire.call(0);

    assertThat(ring(0).call.drain()).isEqualTo(1);
    assertThat(ring(0).usedIndex()).isZero();
  }

  @Test
  void servesAfterTheKickAndDoesNotWaitForEnable() {
    wire.features();
    wire.memoryTable();
    for (int i = 0; i < 2; i++) {
      wire.size(i);
      wire.base(i, 0);
      wire.address(i);
      wire.call(i);
    }
    int request = ring(0).submitRead(1);
    ring(0).kick.signal();
    wire.frontEnd.getFeatures();
    assertThat(ring(0).untouched(request)).as("before it was told the kick").isTrue();

    wire.kick(0);

    ring(0).awaitUsed(1, deadline());
    assertThat(ring(0).content(request)).isEqualTo(disk.sector(1));
    // The daemon of QEMU 11 serves what already waits as it is told the kick, that of QEMU 7.2 at
    // the first signal. Either way it is served, and once.
    int waiting = ring(1).submitRead(2);
    wire.kick(1);
    assertThat(ring(0).read(3, deadline())).isEqualTo(disk.sector(3));
    ring(1).kick.signal();
    ring(1).awaitUsed(1, deadline());
    assertThat(ring(1).content(waiting)).isEqualTo(disk.sector(2));
    assertThat(wire.frontEnd.getVringBase(1)).isEqualTo(1);
    assertThat(ring(1).usedIndex()).isEqualTo(1);
  }

  @Test
  void servesNothingWithAKickThatHasNoDescriptor() {
    wire.features();
    wire.memoryTable();
    wire.start(0, 0);
    wire.start(1, 0);
    wire.frontEnd.setVringKick(0, null);

    int waiting = ring(0).submitRead(2);
    ring(0).kick.signal();
    assertThat(ring(1).read(3, deadline())).isEqualTo(disk.sector(3));
    assertThat(ring(0).untouched(waiting)).isTrue();
    assertThat(process.holds(ring(0).kick.descriptor())).isFalse();
    assertThat(wire.frontEnd.getVringBase(0)).isZero();
  }

  @Test
  void stopsOneRingAndGoesOnWithTheOther() {
    wire.features();
    wire.memoryTable();
    wire.start(0, 0);
    wire.start(1, 0);
    assertThat(ring(0).read(3, deadline())).isEqualTo(disk.sector(3));
    assertThat(process.holds(ring(0).kick.descriptor())).isTrue();
    assertThat(process.holds(ring(0).call.descriptor())).isTrue();

    assertThat(wire.frontEnd.getVringBase(0)).isEqualTo(1);

    assertThat(process.holds(ring(0).kick.descriptor())).isFalse();
    assertThat(process.holds(ring(0).call.descriptor())).isFalse();
    assertThat(process.holds(ring(1).kick.descriptor())).isTrue();
    assertThat(process.holds(ring(1).call.descriptor())).isTrue();
    assertThat(ring(1).read(4, deadline())).isEqualTo(disk.sector(4));

    // Size and address are still known; base, call and kick make it go on.
    int waiting = ring(0).submitRead(9);
    ring(0).kick.signal();
    wire.base(0, 1);
    wire.call(0);
    wire.kick(0);
    ring(0).awaitUsed(2, deadline());
    assertThat(ring(0).content(waiting)).isEqualTo(disk.sector(9));
  }

  @Test
  void acknowledgesALegacyDriversFeaturesAndThenHangsUp() {
    wire.frontEnd.setFeatures(VhostFeature.PROTOCOL_FEATURES);

    assertHangsUp();
    daemon.awaitOutput("legacy", deadline());
  }

  @Test
  void acknowledgesAMessageThatItDoesNotKnowAndThenHangsUp() {
    wire.frontEnd
        .channel()
        .negotiated(ProtocolFeature.maskOf(ProtocolFeature.REPLY_ACK, ProtocolFeature.MTU));

    wire.frontEnd.setMtu(1500);

    assertHangsUp();
    daemon.awaitOutput("Unhandled request", deadline());
  }

  @Test
  void takesMemoryRegionByRegionWhileARingRuns() {
    wire.features();
    assertThat(wire.frontEnd.getMaxMemSlots()).isGreaterThanOrEqualTo(8);
    wire.addRegion(wire.memory);
    wire.start(0, 0);
    assertThat(ring(0).read(3, deadline())).isEqualTo(disk.sector(3));

    long above = 1L << 32;
    try (var plugged =
            GuestMemory.builder(wire.ledger).region("ram", above, BlockQueue.BYTES).build();
        var queue = new BlockQueue(plugged, above, wire.ledger)) {
      wire.addRegion(plugged);
      assertThat(process.mappedMemoryFiles()).hasSize(2);
      wire.start(1, queue, 0);
      assertThat(queue.read(4, deadline())).isEqualTo(disk.sector(4));
      assertThat(ring(0).read(5, deadline())).isEqualTo(disk.sector(5));

      assertThat(wire.frontEnd.getVringBase(1)).isEqualTo(1);
      wire.removeRegion(plugged);
      assertThat(process.mappedMemoryFiles()).hasSize(1);
      assertThat(ring(0).read(6, deadline())).isEqualTo(disk.sector(6));
      assertThat(wire.frontEnd.getVringBase(0)).isEqualTo(3);
    }
  }

  @Test
  void logsThePagesThatItWrites() {
    assertThat(wire.offered & VhostFeature.LOG_ALL).isNotZero();
    wire.features();
    wire.memoryTable();
    wire.start(0, 0);
    long bytes = Math.ceilDiv(wire.memory.totalBytes(), 8 * 4096);
    try (var file = MemoryFile.create(wire.ledger, "log", 4096);
        var log = file.map(0, 4096)) {
      wire.frontEnd.setLogBase(new LogRegion(bytes, 0), file.descriptor());
      wire.frontEnd.setFeatures(BlockWire.FEATURES | VhostFeature.LOG_ALL);
      wire.frontEnd.setVringAddr(wire.addressOf(0, ring(0), true));

      assertThat(ring(0).read(3, deadline())).isEqualTo(disk.sector(3));
      assertThat(wire.frontEnd.getVringBase(0)).isEqualTo(1);

      byte[] pages = log.segment().asSlice(0, bytes).toArray(ValueLayout.JAVA_BYTE);
      // The used ring, and the place of the one request.
      assertThat(BitSet.valueOf(pages).stream()).containsExactly(2, 4);
    }
  }
}
