package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.guest.PingRecorder;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.PingSeries;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.virtio.MacAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The pings of a scenario, both ways, and their results. */
final class Traffic implements AutoCloseable {
  private static final Duration PERIOD = Duration.ofMillis(1);
  private static final long LOOK_NANOS = 500_000;

  private final LearningSwitch network = new LearningSwitch();
  private final @Nullable AnsweringHost host;
  private final PingRecorder recorder;
  private final List<PingSeries> inbound = new ArrayList<>();
  private final MacAddress peerMac = MacAddress.parse("52:54:00:00:00:01");
  private final Ipv4Address peerIp = Ipv4Address.of(10, 0, 0, 1);

  /**
   * Creates the network for a guest's pings.
   *
   * @param nics how many NICs the guest has
   * @param withHost whether a host on the switch answers and pings back; otherwise the back end
   *     answers
   */
  Traffic(int nics, boolean withHost) {
    recorder = new PingRecorder(nics);
    host = withHost ? AnsweringHost.start(network, "answering host", peerMac, peerIp) : null;
  }

  /** Creates the network of a scenario. */
  static Traffic of(ScenarioOptions options) {
    return new Traffic(options.devices(), options.backEnd() != ScenarioOptions.BackEndKind.DPDK);
  }

  LearningSwitch network() {
    return network;
  }

  PingRecorder recorder() {
    return recorder;
  }

  MacAddress peerMac() {
    return peerMac;
  }

  Ipv4Address peerIp() {
    return peerIp;
  }

  void pingGuest(TestGuest guest) {
    if (host != null) {
      for (int i = 0; i < guest.nicCount(); i++) {
        inbound.add(host.ping(guest.mac(i), guest.ip(i), PERIOD));
      }
    }
  }

  /** Called when the guest has reset a NIC. Abandons the pings in its rings. */
  void abandonPingsToGuest(int nic) {
    if (!inbound.isEmpty()) {
      inbound.get(nic).abandonUnanswered();
    }
  }

  void mark() {
    recorder.mark();
    inbound.forEach(PingSeries::mark);
  }

  /** Returns true if every NIC's pings since the mark were answered, both ways. */
  boolean recovered() {
    return recorder.recovered() && inbound.stream().allMatch(PingSeries::recovered);
  }

  /** Waits for {@link #recovered}. */
  boolean awaitRecovered(Duration patience) {
    return await(this::recovered, patience);
  }

  /** Waits until the guest has so many answers more on each NIC. */
  boolean awaitAnswers(int more, Duration patience) {
    List<Long> before = answered();
    return await(
        () -> {
          List<Long> now = answered();
          return IntStream.range(0, now.size()).allMatch(i -> now.get(i) - before.get(i) >= more);
        },
        patience);
  }

  private List<Long> answered() {
    return outbound().stream().map(PingStats::answered).toList();
  }

  /** Tests a condition every half millisecond until it is true. */
  static boolean await(BooleanSupplier condition, Duration patience) {
    Deadline deadline = Deadline.after(patience);
    while (!condition.getAsBoolean()) {
      if (deadline.expired()) {
        return false;
      }
      LockSupport.parkNanos(LOOK_NANOS);
    }
    return true;
  }

  /**
   * Stops sending requests, and waits until each was answered or dropped. A thread of a busy
   * machine may answer late.
   *
   * @param dropped how many were counted as dropped
   */
  void drain(TestGuest guest, LongSupplier dropped, Duration patience) {
    if (host != null) {
      host.stopPinging();
    }
    guest.sending(false, Deadline.after(patience));
    await(
        () -> {
          long missing = missing();
          return missing == 0 || missing <= dropped.getAsLong(); // a real back end is asked that
        },
        patience);
  }

  /** How many requests of both ways have no answer. */
  long missing() {
    return Stream.concat(outbound().stream(), inbound().stream())
        .mapToLong(s -> s.sent() - s.answered() - s.abandoned())
        .sum();
  }

  /**
   * A request that is older counts as lost. The time allows for a busy machine, on which threads
   * may wait long.
   */
  private static final Duration GRACE = Duration.ofMillis(300);

  List<PingStats> outbound() {
    return recorder.stats(GRACE);
  }

  List<PingStats> inbound() {
    return inbound.stream().map(s -> s.stats(GRACE)).toList();
  }

  void requireFlowing() {
    if (!awaitRecovered(Duration.ofSeconds(10))) {
      throw new VhostException(
          "the guest's pings were not answered before the migration: " + outbound() + inbound(),
          Recovery.GIVE_UP);
    }
  }

  @Override
  public void close() {
    if (host != null) {
      host.close();
    }
  }
}
