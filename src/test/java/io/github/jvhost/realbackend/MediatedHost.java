package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.mediate.FrontEndAddress;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.NicOptions;
import io.github.jvhost.mediate.NicStatus;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.LinuxGuest;
import io.github.jvhost.testkit.qemu.QemuGuest;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureQueue;
import io.github.jvhost.testkit.trace.CapturedMessage;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * A host: a testpmd, and a mediator in this process. What the mediator says to testpmd is recorded.
 *
 * <pre>
 *   QEMU --NAME.net0--&gt; mediator --NAME.tap0--&gt; relay --NAME.0--&gt; testpmd
 *        --NAME.net1--&gt;          --NAME.tap1--&gt; relay --NAME.1--&gt;
 * </pre>
 */
final class MediatedHost implements AutoCloseable {
  static final int NICS = 2;

  private final Path directory;
  private final String name;
  private final Testpmd testpmd;
  private final List<CaptureQueue> queues = new ArrayList<>();
  private final List<Relay> relays = new ArrayList<>();
  private final Mediator mediator;

  /** A host whose mediator has a peer: a path, or "listen:" and a path. */
  MediatedHost(Path directory, String name, String peer, DescriptorLedger ledger) {
    this.directory = directory;
    this.name = name;
    testpmd = Testpmd.builder().port(file("0")).port(file("1")).nice().start(deadline());
    List<NicOptions> nics = new ArrayList<>();
    for (int nic = 0; nic < NICS; nic++) {
      var queue = new CaptureQueue(Dialect.UPSTREAM);
      queues.add(queue);
      relays.add(Relay.start(file("tap" + nic), testpmd.socket(nic), ledger, queue));
      nics.add(
          NicOptions.of(
              "net" + nic,
              new FrontEndAddress.Listen(file("net" + nic)),
              new BackEndAddress.Socket(file("tap" + nic)),
              BackEndProfile.DPDK));
    }
    mediator = Mediator.start(MediatorOptions.of(nics).withPeer(peer), ledger);
  }

  private Path file(String extension) {
    return directory.resolve(name + "." + extension);
  }

  static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  /** {@return a machine whose network devices are mediated here} */
  QemuGuest.Builder guest(LinuxGuest linux, String machine) {
    QemuGuest.Builder guest = QemuGuest.builder(linux, directory, machine);
    IntStream.range(0, NICS).forEach(nic -> guest.nic(file("net" + nic)));
    return guest;
  }

  /** Waits until both NICs are as they should be. */
  List<NicStatus> await(String what, Predicate<NicStatus> should) {
    Await.until(
        () -> "%s: %s, and not %s".formatted(name, mediator.status(), what),
        () -> {
          List<NicStatus> all = mediator.status();
          return all.size() == NICS && all.stream().allMatch(should);
        });
    return mediator.status();
  }

  /** Forgets what was said to testpmd so far. */
  void forget() {
    queues.forEach(CaptureQueue::rest);
  }

  /** {@return what was said to a port of testpmd since {@link #forget}} */
  List<CapturedMessage> said(int nic) {
    List<CapturedMessage> said = new ArrayList<>();
    for (CaptureEntry entry : queues.get(nic).rest()) {
      if (entry instanceof CapturedMessage message && message.route() == RelayRoute.TO_BACK_END) {
        said.add(message);
      }
    }
    return said;
  }

  /** {@return how many packets testpmd has taken and could not put into the other ring} */
  long dropped() {
    return testpmd.statistics(deadline()).stream()
        .mapToLong(PortStatistics::dropped)
        .max()
        .orElseThrow();
  }

  Testpmd testpmd() {
    return testpmd;
  }

  @Override
  public void close() {
    mediator.close();
    relays.forEach(Relay::close);
    testpmd.close();
    assertThat(testpmd.isAlive()).isFalse();
  }
}
