package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The guest with packed rings behind a mock back end: it pings, stops, goes on, and moves. */
class PackedGuestTest {
  private static final MacAddress HOST = MacAddress.parse("02:00:00:00:00:01");
  private static final Ipv4Address HOST_IP = Ipv4Address.of(10, 0, 0, 1);
  private static final GuestSettings SETTINGS =
      GuestSettings.of(HOST, HOST_IP, Ipv4Address.of(10, 0, 0, 10))
          .withWantedFeatures(
              NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MAC, NetFeature.RING_PACKED));

  @TempDir private Path dir;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final LearningSwitch network = new LearningSwitch();
  private final AnsweringHost host = AnsweringHost.start(network, "host", HOST, HOST_IP);
  private final PingRecorder recorder = new PingRecorder(1);
  private final List<AutoCloseable> toClose = new ArrayList<>(List.of(host));

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable closeable : toClose.reversed()) {
      closeable.close();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static Deadline soon() {
    return Deadline.in(20, TimeUnit.SECONDS);
  }

  private static void until(String what, BooleanSupplier condition) {
    Deadline deadline = soon();
    while (!condition.getAsBoolean()) {
      assertThat(deadline.expired()).as("in time: %s", what).isFalse();
      LockSupport.parkNanos(100_000);
    }
  }

  private PackedMachine machine(String name, Personality personality) {
    SwitchPort port = network.attach(name);
    PackedMachine machine = new PackedMachine(ledger, dir.resolve(name), personality, port);
    toClose.add(machine);
    return machine;
  }

  private TestGuest booted(PackedMachine machine, GuestSettings settings) {
    TestGuest guest = TestGuest.boot(machine.memory, List.of(machine.nic), settings, recorder);
    toClose.add(guest);
    assertThat(machine.device.whyBroken()).as("the driver's set-up is allowed").isEmpty();
    assertThat(machine.device.packed()).isTrue();
    return guest;
  }

  private PingStats stats() {
    return recorder.nic(0).stats(Duration.ZERO);
  }

  private void untilAnswered(TestGuest guest, long more) {
    long goal = stats().answered() + more;
    until(
        more + " more answers, " + guest.problems(),
        () -> stats().answered() >= goal || !guest.problems().isEmpty());
  }

  private void assertSound(TestGuest guest) {
    assertThat(guest.problems()).isEmpty();
    assertThat(guest.verifyWorkingSet(soon()).problems()).isEmpty();
    assertThat(guest.verifyMailboxes(soon())).isEmpty();
    assertThat(stats().corrupt() + stats().duplicates() + stats().unknown()).isZero();
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void pingsAndGoesOnWhereItStopped(Personality personality) {
    PackedMachine machine = machine("nic", personality);
    TestGuest guest = booted(machine, SETTINGS.withQueueSize(7, 6));
    machine.start();
    guest.start();
    // Each round wraps both rings often, and ends wherever they are.
    for (int round = 0; round < 5; round++) {
      untilAnswered(guest, 53);
      guest.pause(soon());
      machine.stop();
      machine.start();
      guest.resume();
    }
    untilAnswered(guest, 100);
    guest.sending(false, soon());
    until(
        "every ping answered, or known to be dropped",
        () -> stats().sent() - stats().answered() <= machine.dropped());
    assertSound(guest);
    assertThat(machine.backEnd.record().violations()).isEmpty();
    assertThat(machine.backEnd.record().notes()).noneMatch(note -> note.contains("gave up"));
  }

  @Test
  void commandsGoThroughAPackedControlQueue() {
    PackedMachine machine = machine("nic", Personality.GENERIC);
    TestGuest guest =
        booted(
            machine,
            SETTINGS
                .withQueuePairs(2)
                .withWantedFeatures(
                    GuestSettings.KNOWN_FEATURES & ~NetFeature.GUEST_ANNOUNCE.mask()));
    machine.start();
    guest.start();
    until("two pairs", () -> guest.queuePairs(0) == 2);
    machine.enable();
    untilAnswered(guest, 100);
    MacAddress mac = MacAddress.parse("52:54:00:00:00:77");
    guest.setMac(0, mac, soon());
    assertThat(machine.device.mac()).isEqualTo(mac);
    // More commands than the control ring has descriptors.
    for (int i = 0; i < 20; i++) {
      guest.setQueuePairs(0, 1 + i % 2, soon());
      assertThat(machine.device.currentQueuePairs()).isEqualTo(1 + i % 2);
    }
    untilAnswered(guest, 100);
    assertSound(guest);
  }

  @ParameterizedTest
  @CsvSource({"1024, 512", "256, 128", "100, 99", "2, 2"})
  void ringsMayHaveAnySize(int size, int buffers) {
    PackedMachine machine = machine("nic", Personality.GENERIC);
    TestGuest guest = booted(machine, SETTINGS.withQueueSize(size, buffers));
    machine.start();
    guest.start();
    untilAnswered(guest, 300);
    assertSound(guest);
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"GENERIC", "DPDK"})
  void movesInTheMiddleOfALapWithWhatBothSidesWrote(Personality personality) {
    PackedMachine source = machine("source", personality);
    PackedMachine destination = machine("destination", Personality.LIBVHOST_USER);
    TestGuest guest = booted(source, SETTINGS.withQueueSize(100, 60));
    source.start();
    guest.start();
    untilAnswered(guest, 130);
    try (DirtyLog log = DirtyLog.create(ledger, source.memory.table())) {
      DirtyBitmap written = new DirtyBitmap(source.memory.table().highestAddress());
      guest.atSafePoint(() -> source.memory.trackWrites(written), soon());
      source.log(log.size(), log.descriptor());
      copyAll(source, destination);
      untilAnswered(guest, 37);
      guest.pause(soon());
      source.stop();
      log.collectInto(written);
      assertThat(written.isMarked(source.device.queue(0).desc())).isTrue();
      written.drain(
          gpa -> destination.memory.slice(gpa, 4096).copyFrom(source.memory.slice(gpa, 4096)));
    }
    destination.device.restore(source.device.snapshot());
    TestGuest moved = TestGuest.attach(destination.memory, List.of(destination.nic), recorder);
    toClose.add(moved);
    recorder.mark();
    assertThat(moved.verifyMailboxes(soon())).isEmpty();
    destination.start();
    destination.transmit(new Packet.Rarp(guest.mac(0)).encode());
    moved.start();
    destination.signalAll();
    until("recovered", recorder::recovered);
    untilAnswered(moved, 250);
    assertThat(guest.problems()).isEmpty();
    assertSound(moved);
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"GENERIC", "DPDK"})
  void usedDescriptorsAreInTheLog(Personality personality) {
    PackedMachine machine = machine("nic", personality);
    TestGuest guest = booted(machine, SETTINGS);
    machine.start();
    guest.start();
    untilAnswered(guest, 10);
    // A guest that stands still writes no descriptor: what is marked is the back end's.
    guest.pause(soon());
    try (DirtyLog log = DirtyLog.create(ledger, machine.memory.table())) {
      machine.log(log.size(), log.descriptor());
      long before = machine.backEnd.record().delivered();
      host.ping(guest.mac(0), guest.ip(0), Duration.ofMillis(1));
      until("frames", () -> machine.backEnd.record().delivered() > before + 3);
      host.stopPinging();
      machine.stop();
      DirtyBitmap written = new DirtyBitmap(machine.memory.table().highestAddress());
      log.collectInto(written);
      assertThat(written.isMarked(machine.device.queue(0).desc())).isTrue();
      assertThat(written.isMarked(machine.device.queue(0).used()))
          .as("nothing was written into the device area")
          .isFalse();
    }
  }

  @Test
  void nonsenseInARingStopsThatRingUntilItIsStartedAgain() throws InterruptedException {
    PackedMachine machine = machine("nic", Personality.GENERIC);
    TestGuest guest = booted(machine, SETTINGS);
    long desc = machine.device.queue(1).desc();
    for (int i = 0; i < machine.device.queue(1).size(); i++) {
      machine.memory.putShort(desc + 16L * i + 14, (short) 0x81);
    }

    machine.start();

    assertThat(machine.backEnd.record().await(r -> !r.notes().isEmpty(), soon())).isTrue();
    assertThat(machine.backEnd.record().notes().getFirst())
        .contains("gave up ring 1", "a chain without an end");
    machine.stop();
    assertThat(machine.device.queue(1).next()).isEqualTo(RingIndex.start(true));
    for (int i = 0; i < machine.device.queue(1).size(); i++) {
      machine.memory.putShort(desc + 16L * i + 14, (short) 0);
    }
    machine.start();
    guest.start();
    untilAnswered(guest, 50);
    assertSound(guest);
  }

  private static void copyAll(PackedMachine source, PackedMachine destination) {
    for (MemoryRegion region : source.memory.table().regions()) {
      destination
          .memory
          .slice(region.guestAddress(), region.size())
          .copyFrom(source.memory.slice(region.guestAddress(), region.size()));
    }
  }

  @Test
  void whereOnlySplitRingsAreOfferedItUsesThem() {
    PackedMachine machine = machine("nic", Personality.GENERIC);
    machine.device.limitFeatures(~NetFeature.RING_PACKED.mask());
    TestGuest guest = TestGuest.boot(machine.memory, List.of(machine.nic), SETTINGS, recorder);
    toClose.add(guest);
    assertThat(machine.device.packed()).isFalse();
  }
}
