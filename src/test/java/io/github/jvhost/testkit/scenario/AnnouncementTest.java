package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A guest that moved is not reached before it was announced, by its back end or by itself. */
@Timeout(60)
class AnnouncementTest {
  private static final long SILENT =
      GuestSettings.KNOWN_FEATURES & ~NetFeature.GUEST_ANNOUNCE.mask();
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** Waits until frames for the guest have arrived where it is no more. */
  private static void awaitMisdirected(Hosts hosts) throws InterruptedException {
    BackEnds.Mock mocks = (BackEnds.Mock) hosts.backEnds;
    for (int i = 0; i < Runs.DEVICES; i++) {
      BackEndRecord left = mocks.of(BackEnds.Side.SOURCE, i).record();
      long before = left.drops();
      assertThat(left.await(r -> r.drops() >= before + 30, Hosts.deadline()))
          .as("frames that arrived at the source")
          .isTrue();
    }
  }

  @Test
  void withoutAnnouncementNothingArrivesAndWithItEverythingDoes() throws InterruptedException {
    try (var directory = SocketDirectory.create();
        var hosts = new Hosts(Runs.options(Variant.OFF), directory.path(), ledger, SILENT)) {
      TestGuest moved = hosts.move();
      awaitMisdirected(hosts);

      assertThat(hosts.traffic.recovered()).isFalse();
      assertThat(hosts.traffic.network().moves()).isZero();

      for (VhostNet device : hosts.target.devices()) {
        assertThat(device.announce()).isTrue();
      }

      assertThat(hosts.traffic.awaitRecovered(PATIENCE)).isTrue();
      assertThat(moved.announcements(0)).as("the back ends did it").isZero();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void aGuestThatIsAskedToAnnouncesItself() throws InterruptedException {
    try (var directory = SocketDirectory.create();
        var hosts =
            new Hosts(
                Runs.options(Variant.OFF),
                directory.path(),
                ledger,
                GuestSettings.KNOWN_FEATURES)) {
      TestGuest moved = hosts.move();
      awaitMisdirected(hosts);
      assertThat(hosts.traffic.recovered()).isFalse();

      for (VhostNet device : hosts.target.devices()) {
        device.access(() -> assertThat(device.model().requestAnnounce()).isTrue());
      }

      assertThat(hosts.traffic.awaitRecovered(PATIENCE)).isTrue();
      assertThat(moved.announcements(0)).isEqualTo(1);
      assertThat(moved.announcements(1)).isEqualTo(1);
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void theBackEndAnnouncesTheAddressThatTheGuestHasNow() {
    MacAddress chosen = MacAddress.parse("52:54:00:ab:cd:01");
    try (var directory = SocketDirectory.create();
        var hosts = new Hosts(Runs.options(Variant.OFF), directory.path(), ledger, SILENT)) {
      Set<MacAddress> announced = ConcurrentHashMap.newKeySet();
      SwitchPort spy = hosts.traffic.network().attach("spy");
      spy.onFrame(() -> look(spy, announced));
      hosts.guest.setMac(0, chosen, Hosts.deadline());
      hosts.move();

      hosts.target.devices().getFirst().announce();

      assertThat(Traffic.await(() -> !announced.isEmpty(), PATIENCE)).isTrue();
      assertThat(announced).containsExactly(chosen);
      spy.close();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static void look(SwitchPort spy, Set<MacAddress> announced) {
    Optional<byte[]> frame = Optional.ofNullable(spy.poll());
    frame
        .flatMap(Packet::parse)
        .ifPresent(packet -> {
          if (packet instanceof Packet.Rarp rarp) {
            announced.add(rarp.station());
          }
        });
  }
}
