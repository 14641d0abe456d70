package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.PingSeries;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TestGuestTest {
  private static final MacAddress HOST = MacAddress.parse("02:00:00:00:00:01");
  private static final Ipv4Address HOST_IP = Ipv4Address.of(10, 0, 0, 1);
  private static final Ipv4Address GUEST_IP = Ipv4Address.of(10, 0, 0, 10);
  private static final GuestSettings SETTINGS = GuestSettings.of(HOST, HOST_IP, GUEST_IP);

  private final LearningSwitch network = new LearningSwitch();
  private final AnsweringHost host = AnsweringHost.start(network, "host", HOST, HOST_IP);
  private final Machine source = new Machine("src", network, 2);
  private final PingRecorder recorder = new PingRecorder(2);
  private final List<AutoCloseable> toClose = new ArrayList<>(List.of(source, host));

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable closeable : toClose.reversed()) {
      closeable.close();
    }
    assertThat(source.ledger.describeOpen()).isEmpty();
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

  private <T extends AutoCloseable> T closing(T closeable) {
    toClose.add(closeable);
    return closeable;
  }

  private TestGuest booted(GuestSettings settings) {
    TestGuest guest = closing(TestGuest.boot(source.memory, source.nics, settings, recorder));
    source.serveAll();
    return guest;
  }

  private PingStats stats(int nic) {
    return recorder.nic(nic).stats(Duration.ZERO);
  }

  private void untilAnswered(int nic, long more) {
    long goal = stats(nic).answered() + more;
    until(more + " more answers on NIC " + nic, () -> stats(nic).answered() >= goal);
  }

  /** Stops sending and waits until nothing is under way. */
  private void settle(TestGuest guest) {
    guest.sending(false, soon());
    until(
        "every ping answered",
        () -> stats(0).sent() == stats(0).answered() && stats(1).sent() == stats(1).answered());
  }

  private void assertSound(TestGuest guest) {
    assertThat(guest.problems()).isEmpty();
    assertThat(guest.verifyWorkingSet(soon()).problems()).isEmpty();
    assertThat(guest.verifyMailboxes(soon())).isEmpty();
    for (int nic = 0; nic < 2; nic++) {
      PingStats stats = stats(nic);
      assertThat(stats.corrupt() + stats.duplicates() + stats.resent() + stats.unknown()).isZero();
    }
  }

  @Test
  void pingsAndIsPingedOnEveryNic() {
    TestGuest guest = booted(SETTINGS);
    guest.start();
    PingSeries inbound = host.ping(source.devices.get(1).mac(), guest.ip(1), Duration.ofMillis(1));
    // More than a ring and a mailbox hold, so that buffers went round.
    untilAnswered(0, 300);
    untilAnswered(1, 300);
    until("inbound", () -> inbound.stats(Duration.ZERO).answered() > 100);
    assertThat(guest.answeredEchoes(1)).isGreaterThan(100);
    settle(guest);
    assertSound(guest);
    assertThat(guest.ticks()).isGreaterThan(300);
    assertThat(inbound.stats(Duration.ZERO).corrupt()).isZero();
  }

  @Test
  void spreadsItsPingsOverTheQueuePairsThatItAskedFor() {
    TestGuest guest = booted(SETTINGS.withQueuePairs(2));
    guest.start();
    until("two pairs", () -> guest.queuePairs(0) == 2 && guest.queuePairs(1) == 2);
    assertThat(source.devices.getFirst().currentQueuePairs()).isEqualTo(2);
    untilAnswered(0, 20);
    guest.setQueuePairs(0, 1, soon());
    assertThat(source.devices.getFirst().currentQueuePairs()).isEqualTo(1);
    untilAnswered(0, 20);
    guest.setQueuePairs(0, 2, soon());
    assertThatThrownBy(() -> guest.setQueuePairs(0, 3, soon()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("refused");
    assertThat(guest.queuePairs(0)).isEqualTo(2);
    settle(guest);
  }

  @Test
  void whatIsInARingThatItDisablesIsAbandonedAndNotLost() throws InterruptedException {
    TestGuest guest = booted(SETTINGS.withQueuePairs(2));
    guest.start();
    until("two pairs", () -> guest.queuePairs(0) == 2);
    untilAnswered(0, 20);
    int[] bases;
    try (LoopbackBackEnd standing = source.backEnd(0)) {
      bases = standing.stop();
    }
    long sent = stats(0).sent();
    until("pings wait on both pairs", () -> stats(0).sent() >= sent + 4);

    guest.setQueuePairs(0, 1, soon());

    assertThat(stats(0).abandoned()).isGreaterThanOrEqualTo(2);
    assertThat(stats(0).lost()).as("on the pair that is left").isGreaterThanOrEqualTo(2);
    source.serve(0, bases);
    settle(guest);
    assertThat(stats(0).abandoned()).as("an answer counts all the same").isZero();
    assertSound(guest);
  }

  @Test
  void changesItsAddressAndSaysSo() {
    TestGuest guest = booted(SETTINGS);
    guest.start();
    PingSeries inbound = host.ping(guest.mac(0), guest.ip(0), Duration.ofMillis(1));
    until("inbound", inbound::recovered);
    MacAddress other = MacAddress.parse("52:54:00:00:aa:aa");
    guest.setMac(0, other, soon());
    assertThat(guest.mac(0)).isEqualTo(other);
    assertThat(source.devices.getFirst().mac()).isEqualTo(other);
    until("announced", () -> guest.announcements(0) == 1);
    inbound.mark();
    until("inbound under the new address", inbound::recovered);
    settle(guest);
    assertSound(guest);
  }

  @Test
  void announcesItselfWhenTheDeviceAsks() {
    TestGuest guest = booted(SETTINGS);
    guest.start();
    guest.atSafePoint(
        () -> assertThat(source.devices.getFirst().requestAnnounce()).isTrue(), soon());
    until("announced", () -> guest.announcements(0) == 1);
    // The acknowledgement cleared the bit: it can be asked for again.
    until("acknowledged", () -> (source.devices.getFirst().readConfig(6, 1)[0] & 2) == 0);
    guest.atSafePoint(source.devices.getFirst()::requestAnnounce, soon());
    until("announced again", () -> guest.announcements(0) == 2);
    assertThat(guest.announcements(1)).isZero();
  }

  @Test
  void startsADeviceAnewWithRingsElsewhere() {
    TestGuest guest = booted(SETTINGS.withQueuePairs(2));
    guest.start();
    until("two pairs", () -> guest.queuePairs(0) == 2);
    untilAnswered(0, 10);
    long before = source.devices.getFirst().queue(0).desc();
    for (int i = 0; i < 5; i++) {
      guest.resetAndReinit(0, soon());
      source.serve(0, new int[4]);
      recorder.mark();
      until("answers after the reset", () -> recorder.nic(0).recovered());
    }
    assertThat(source.devices.getFirst().queue(0).desc()).isNotEqualTo(before);
    until("two pairs again", () -> guest.queuePairs(0) == 2);
    guest.sending(false, soon());
    until("settled", () -> stats(0).answered() + stats(0).abandoned() == stats(0).sent());
    assertSound(guest);
  }

  @Test
  void worksWithoutAnythingOptional() {
    GuestSettings plain = SETTINGS.withWantedFeatures(NetFeature.VERSION_1.mask());
    TestGuest guest = booted(plain.withQueuePairs(2));
    guest.start();
    untilAnswered(0, 20);
    assertThat(guest.queuePairs(0)).isEqualTo(1);
    assertThatThrownBy(() -> guest.setQueuePairs(0, 2, soon()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("control queue");
    settle(guest);
  }

  @Test
  void writesNothingWhilePaused() {
    TestGuest guest = booted(SETTINGS);
    guest.start();
    untilAnswered(0, 10);
    guest.pause(soon());
    assertThat(guest.paused()).isTrue();
    long sequence = stats(0).sent();
    WorkingSetCheck check = guest.verifyWorkingSet(soon());
    DirtyBitmap written = new DirtyBitmap(source.memory.table().highestAddress());
    source.memory.trackWrites(written);
    host.ping(guest.mac(0), guest.ip(0), Duration.ofMillis(1));
    long delivered = source.ports.getFirst().delivered();
    until("frames", () -> source.ports.getFirst().delivered() > delivered + 10);
    assertThat(written.count()).isZero();
    assertThat(guest.verifyWorkingSet(soon())).isEqualTo(check);
    assertThat(stats(0).sent()).isEqualTo(sequence);
    guest.resume();
    untilAnswered(0, 10);
    assertThat(written.count()).isPositive();
  }

  @Test
  void aMemoryWithoutAGuestIsRefused() {
    assertThatThrownBy(() -> TestGuest.attach(source.memory, source.nics, recorder))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("no guest");
    TestGuest guest = booted(SETTINGS);
    assertThatThrownBy(
            () -> TestGuest.attach(source.memory, source.nics.subList(0, 1), new PingRecorder(1)))
        .hasMessageContaining("2 NICs in memory");
    assertThat(guest.paused()).as("not started").isTrue();
    assertThatThrownBy(() ->
            TestGuest.boot(
                source.memory, source.nics, SETTINGS.withWorkingSet(10_000, 1), recorder))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("do not fit");
  }

  @Test
  void damagedMemoryIsRefusedOrNoticedButBreaksNothing() {
    booted(SETTINGS);
    long seed = 7;
    SplittableRandom random = new SplittableRandom(seed);
    byte[] sound = new byte[16 << 10];
    source.memory.copyOut(GuestSettings.DEFAULT_BASE, sound);
    int refused = 0;
    for (int i = 0; i < 500; i++) {
      byte[] damaged = sound.clone();
      // Dense in the boot block and its NICs, sparse behind them.
      for (int n = random.nextInt(1, 8); n > 0; n--) {
        damaged[random.nextInt(random.nextBoolean() ? 384 : damaged.length)] =
            (byte) random.nextInt();
      }
      source.memory.copyIn(GuestSettings.DEFAULT_BASE, damaged);
      try (TestGuest guest = TestGuest.attach(source.memory, source.nics, recorder)) {
        assertThat(guest.nicCount()).isEqualTo(2);
        guest.verifyMailboxes(soon());
      } catch (VhostException e) {
        // The only kind of exception that may come out of foreign bytes.
        refused++;
      }
    }
    assertThat(refused).as("seed %d", seed).isBetween(50, 499);
  }
}
