package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.testkit.net.PingSeries;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.MacAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The guest is moved by copying memory, in ways that are right and in ways that are not. */
class GuestMigrationTest {
  private static final MacAddress HOST = MacAddress.parse("02:00:00:00:00:01");
  private static final Ipv4Address HOST_IP = Ipv4Address.of(10, 0, 0, 1);

  private final LearningSwitch network = new LearningSwitch();
  private final AnsweringHost host = AnsweringHost.start(network, "host", HOST, HOST_IP);
  private final Machine source = new Machine("src", network, 2);
  private final Machine destination = new Machine("dst", network, 2);
  private final PingRecorder recorder = new PingRecorder(2);
  private final List<PingSeries> inbound = new ArrayList<>();
  private final List<int[]> bases = new ArrayList<>();
  private final List<AutoCloseable> toClose = new ArrayList<>(List.of(destination, source, host));

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

  private <T extends AutoCloseable> T closing(T closeable) {
    toClose.add(closeable);
    return closeable;
  }

  private TestGuest bootOnSource() {
    GuestSettings settings =
        GuestSettings.of(HOST, HOST_IP, Ipv4Address.of(10, 0, 0, 10)).withQueuePairs(2);
    TestGuest guest = closing(TestGuest.boot(source.memory, source.nics, settings, recorder));
    source.serveAll();
    guest.start();
    for (int i = 0; i < 2; i++) {
      inbound.add(host.ping(guest.mac(i), guest.ip(i), Duration.ofMillis(1)));
    }
    return guest;
  }

  private TestGuest guest;

  @BeforeEach
  void boot() {
    guest = bootOnSource();
    untilAnswered(100);
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable closeable : toClose.reversed()) {
      closeable.close();
    }
  }

  private void untilAnswered(long more) {
    for (int nic = 0; nic < 2; nic++) {
      PingSeries series = recorder.nic(nic);
      long goal = series.stats(Duration.ZERO).answered() + more;
      until("answers", () -> series.stats(Duration.ZERO).answered() >= goal);
    }
  }

  /** The source's stop: the guest stands still, then the back ends, and what they left is known. */
  private void stopSource() throws InterruptedException {
    guest.pause(soon());
    for (int i = 0; i < 2; i++) {
      bases.add(source.backEnd(i).stop());
    }
  }

  private void restoreDevices() {
    for (int i = 0; i < 2; i++) {
      destination.devices.get(i).restore(source.devices.get(i).snapshot());
    }
  }

  private TestGuest startDestination() {
    TestGuest moved = closing(TestGuest.attach(destination.memory, destination.nics, recorder));
    for (int i = 0; i < 2; i++) {
      destination.serve(i, bases.get(i));
    }
    return moved;
  }

  private void announce() {
    for (int i = 0; i < 2; i++) {
      destination.ports.get(i).transmit(new Packet.Rarp(guest.mac(i)).encode());
    }
  }

  @Test
  void goesOnInACopyWithoutLossOrDuplicates() throws InterruptedException {
    long ticks = guest.ticks();
    stopSource();
    recorder.mark();
    inbound.forEach(PingSeries::mark);
    destination.copyMemoryFrom(source);
    restoreDevices();
    TestGuest moved = startDestination();
    assertThat(moved.verifyWorkingSet(soon())).isEqualTo(guest.verifyWorkingSet(soon()));
    assertThat(moved.verifyWorkingSet(soon()).ok()).isTrue();
    announce();
    // Frames that were switched to the source but not taken by its back end; a VMM counts them as
    // dropped there.
    long left = 0;
    for (int i = 0; i < 2; i++) {
      long before = source.ports.get(i).dropped();
      source.ports.get(i).close();
      left += source.ports.get(i).dropped() - before;
    }
    moved.start();
    destination.signalAll();
    until("recovered", recorder::recovered);
    until("inbound recovered", () -> inbound.stream().allMatch(PingSeries::recovered));
    untilAnswered(300);
    moved.sending(false, soon());
    host.stopPinging();
    long dropped = left;
    until("settled", () -> lost(recorder.stats(Duration.ZERO)) + lost(inboundStats()) <= dropped);
    assertThat(moved.ticks()).isGreaterThan(ticks);
    assertThat(moved.queuePairs(0)).isEqualTo(2);
    assertThat(guest.problems()).isEmpty();
    assertThat(moved.problems()).isEmpty();
    assertThat(moved.verifyMailboxes(soon())).isEmpty();
    for (PingStats stats : recorder.stats(Duration.ZERO)) {
      assertThat(stats.duplicates() + stats.resent() + stats.unknown() + stats.corrupt())
          .as("%s", stats)
          .isZero();
    }
    for (PingStats stats : inboundStats()) {
      assertThat(stats.duplicates() + stats.unknown() + stats.corrupt()).isZero();
    }
  }

  private List<PingStats> inboundStats() {
    return inbound.stream().map(series -> series.stats(Duration.ZERO)).toList();
  }

  private static long lost(List<PingStats> all) {
    return all.stream().mapToLong(PingStats::lost).sum();
  }

  @Test
  void withoutAnAnnouncementNobodyReachesIt() throws InterruptedException {
    stopSource();
    recorder.mark();
    destination.copyMemoryFrom(source);
    restoreDevices();
    TestGuest moved = startDestination();
    source.ports.forEach(SwitchPort::close);
    moved.start();
    destination.signalAll();
    long asked = recorder.nic(0).stats(Duration.ZERO).sent();
    until("some pings", () -> recorder.nic(0).stats(Duration.ZERO).sent() > asked + 50);
    assertThat(recorder.recovered()).isFalse();
    announce();
    until("recovered", recorder::recovered);
  }

  @Test
  void aMigrationThatIgnoresTheBackEndsDirtyLogShows() throws InterruptedException {
    // A pre-copy in one round that follows the guest's own writes only.
    DirtyBitmap written = new DirtyBitmap(source.memory.table().highestAddress());
    guest.atSafePoint(() -> source.memory.trackWrites(written), soon());
    destination.copyMemoryFrom(source);
    DirtyBitmap byBackEnd = source.backEnd(0).dirty();
    byBackEnd.clear();
    untilAnswered(5);
    stopSource();
    written.drain(gpa -> destination.copyPageFrom(source, gpa));
    restoreDevices();
    TestGuest moved = startDestination();
    assertThat(moved.verifyWorkingSet(soon()).ok()).as("the guest's own pages").isTrue();
    assertThat(moved.verifyMailboxes(soon())).as("the back end's pages").isNotEmpty();
  }

  @Test
  void aMigrationThatFollowsBothIsRight() throws InterruptedException {
    DirtyBitmap written = new DirtyBitmap(source.memory.table().highestAddress());
    guest.atSafePoint(() -> source.memory.trackWrites(written), soon());
    destination.copyMemoryFrom(source);
    untilAnswered(5);
    stopSource();
    for (int i = 0; i < 2; i++) {
      written.merge(source.backEnd(i).dirty());
    }
    written.drain(gpa -> destination.copyPageFrom(source, gpa));
    restoreDevices();
    TestGuest moved = startDestination();
    assertThat(moved.verifyWorkingSet(soon()).problems()).isEmpty();
    assertThat(moved.verifyMailboxes(soon())).isEmpty();
    announce();
    moved.start();
    destination.signalAll();
    recorder.mark();
    until("recovered", recorder::recovered);
    assertThat(moved.problems()).isEmpty();
  }

  @Test
  void aPageThatTheMigrationLeftOutShows() throws InterruptedException {
    DirtyBitmap written = new DirtyBitmap(source.memory.table().highestAddress());
    guest.atSafePoint(() -> source.memory.trackWrites(written), soon());
    destination.copyMemoryFrom(source);
    untilAnswered(20);
    stopSource();
    long victim = firstWorkingSetPage();
    assertThat(written.isMarked(victim)).isTrue();
    written.drain(gpa -> {
      if (gpa != victim) {
        destination.copyPageFrom(source, gpa);
      }
    });
    restoreDevices();
    TestGuest moved = startDestination();
    assertThat(moved.verifyWorkingSet(soon()).problems())
        .singleElement()
        .asString()
        .contains("is old");
  }

  private long firstWorkingSetPage() {
    BootBlock boot = BootBlock.read(source.memory, GuestSettings.DEFAULT_BASE);
    return source.memory.getLong(boot.workingSet() + 24);
  }
}
