package io.github.jvhost.testkit.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.virtio.MacAddress;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AnsweringHostTest {
  private static final MacAddress HOST = MacAddress.parse("02:00:00:00:00:01");
  private static final MacAddress GUEST = MacAddress.parse("02:00:00:00:00:0a");
  private static final Ipv4Address HOST_IP = Ipv4Address.of(10, 0, 0, 1);
  private static final Ipv4Address GUEST_IP = Ipv4Address.of(10, 0, 0, 10);

  private final LearningSwitch network = new LearningSwitch();
  private final AnsweringHost host = AnsweringHost.start(network, "host", HOST, HOST_IP);
  private final SwitchPort guest = network.attach("guest");
  private final Semaphore arrived = new Semaphore(0);

  AnsweringHostTest() {
    guest.onFrame(arrived::release);
  }

  @AfterEach
  void close() {
    host.close();
  }

  private Packet next() throws InterruptedException {
    assertThat(arrived.tryAcquire(10, TimeUnit.SECONDS)).as("a frame").isTrue();
    byte[] frame = guest.poll();
    return Packet.parse(Objects.requireNonNull(frame)).orElseThrow();
  }

  @Test
  void answersArpAndEcho() throws InterruptedException {
    guest.transmit(Packet.Arp.request(GUEST, GUEST_IP, HOST_IP).encode());
    assertThat(next()).isEqualTo(new Packet.Arp(GUEST, HOST, 2, HOST, HOST_IP, GUEST, GUEST_IP));
    Packet.Echo request =
        new Packet.Echo(
            HOST, GUEST, GUEST_IP, HOST_IP, false, 5, 6, new EchoPayload(1, 2, 99).encode());
    // A damaged one and one for somebody else go unanswered.
    byte[] damaged = request.encode();
    damaged[60] ^= 1;
    guest.transmit(damaged);
    guest.transmit(
        new Packet.Echo(
                HOST, GUEST, GUEST_IP, GUEST_IP, false, 5, 6, new EchoPayload(1, 2, 99).encode())
            .encode());
    guest.transmit(request.encode());
    assertThat(next()).isEqualTo(request.answer(HOST));
    assertThat(host.answeredEchoes()).isEqualTo(1);
    assertThat(host.malformed()).isEqualTo(1);
  }

  @Test
  void pingsAGuestAndFollowsItsAddress() throws InterruptedException {
    PingSeries series = host.ping(GUEST, GUEST_IP, Duration.ofMillis(1));
    Packet.Echo first = (Packet.Echo) next();
    assertThat(first.destination()).isEqualTo(GUEST);
    guest.transmit(first.answer(GUEST).encode());
    guest.transmit(first.answer(GUEST).encode());

    MacAddress moved = MacAddress.parse("02:00:00:00:00:0b");
    guest.transmit(Packet.Arp.gratuitous(moved, GUEST_IP).encode());
    Packet.Echo later = (Packet.Echo) next();
    while (!later.destination().equals(moved)) {
      later = (Packet.Echo) next();
    }
    host.stopPinging();
    guest.transmit(later.answer(moved).encode());
    // The host takes frames in order: once it answers this, it has taken those in front.
    guest.transmit(Packet.Arp.request(moved, GUEST_IP, HOST_IP).encode());
    Packet packet = next();
    while (!(packet instanceof Packet.Arp)) {
      packet = next();
    }
    PingStats stats = series.stats(Duration.ZERO);
    assertThat(stats.answered()).isEqualTo(2);
    assertThat(stats.duplicates()).isEqualTo(1);
    assertThat(stats.lost()).isEqualTo(stats.sent() - 2);
  }

  @Test
  void closingEndsItsThreadAndFreesItsPort() {
    host.close(Deadline.in(10, TimeUnit.SECONDS));
    network.attach("host").close();
  }
}
