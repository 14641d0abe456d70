package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.mediate.FrontEndAddress;
import io.github.jvhost.mediate.GuestRamPlace;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.NicOptions;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.QemuGuest;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * A host of {@link MediatedBench}. Relays note when messages come from QEMU, and when the switch
 * gets them. The mediator finds the guest's memory by a file with QEMU's process id, because QEMU
 * is connected to a relay.
 *
 * <pre>
 *   QEMU --f--&gt; relay --m--&gt; mediator --t--&gt; relay --&gt; testpmd's ports 0 and 1
 *   QEMU --e--&gt; relay ---------------d--&gt; relay --&gt; testpmd's ports 2 and 3
 * </pre>
 */
final class MediatedBenchHost implements AutoCloseable {
  static final int NICS = 2;

  private static final Duration PAUSE = Duration.ofMillis(10);

  private final Opened opened = new Opened();
  private final Path directory;
  private final String name;
  private final Mediator mediator;
  private final Way mediated = new Way();
  private final Way direct = new Way();

  /**
   * What was seen of a window.
   *
   * @param nanos from QEMU's first message to the last SET_STATUS with DRIVER_OK at the switch
   * @param nanosFromFeatures from QEMU's first SET_FEATURES on
   * @param waitedNanos in which QEMU waited for answers, the relays not counted
   * @param messages that the switch got
   */
  record Window(long nanos, long nanosFromFeatures, long waitedNanos, int messages) {}

  /** From QEMU to the switch: the relays at either end, one a NIC. */
  private record Way(List<Messages> fromQemu, List<Messages> toTheSwitch) {
    Way() {
      this(new ArrayList<>(), new ArrayList<>());
    }

    private static Messages of(List<Messages> relays) {
      var messages = new Messages();
      relays.add(messages);
      return messages;
    }

    Messages newFromQemu() {
      return of(fromQemu);
    }

    Messages newToTheSwitch() {
      return of(toTheSwitch);
    }

    void forget() {
      fromQemu.forEach(Messages::forget);
      toTheSwitch.forEach(Messages::forget);
    }

    List<RelayedMessage> said() {
      return fromQemu.stream().flatMap(relay -> relay.requests().stream()).toList();
    }

    List<RelayedMessage> told() {
      return toTheSwitch.stream().flatMap(relay -> relay.requests().stream()).toList();
    }
  }

  /** What has passed a relay, whose threads call it. */
  private static final class Messages implements RelayObserver {
    private final List<RelayedMessage> passed = new ArrayList<>();

    @Override
    public synchronized void passed(RelayedMessage message) {
      if (!message.raw()) {
        passed.add(message);
      }
    }

    @Override
    public void connected(int session, long nanos) {}

    @Override
    public void ended(int session, long nanos, String why) {}

    synchronized void forget() {
      passed.clear();
    }

    private synchronized List<RelayedMessage> to(RelayRoute route) {
      return passed.stream().filter(message -> message.route() == route).toList();
    }

    List<RelayedMessage> requests() {
      return to(RelayRoute.TO_BACK_END);
    }

    /** Each answer is to the last request before it, because QEMU waits. */
    long waitedNanos(long end) {
      List<RelayedMessage> requests = requests();
      return to(RelayRoute.TO_FRONT_END).stream()
          .filter(answer -> answer.arrived() <= end)
          .mapToLong(answer ->
              answer.arrived()
                  - requests.stream()
                      .mapToLong(RelayedMessage::passed)
                      .filter(nanos -> nanos <= answer.arrived())
                      .max()
                      .orElse(answer.arrived()))
          .sum();
    }
  }

  /** One whose mediator has a peer: this begins the address of the socket, which both share. */
  MediatedBenchHost(Path directory, String name, String peer, DescriptorLedger ledger) {
    this.directory = directory;
    this.name = name;
    try {
      var builder = Testpmd.builder().nice();
      for (int port = 0; port < 2 * NICS; port++) {
        builder.port(file("p", port));
      }
      Testpmd testpmd = opened.add(builder.start(Deadline.after(Duration.ofSeconds(60))));
      List<NicOptions> nics = new ArrayList<>();
      for (int nic = 0; nic < NICS; nic++) {
        opened.add(
            Relay.start(file("t", nic), testpmd.socket(nic), ledger, mediated.newToTheSwitch()));
        opened.add(
            Relay.start(
                file("d", nic), testpmd.socket(NICS + nic), ledger, direct.newToTheSwitch()));
        opened.add(Relay.start(file("e", nic), file("d", nic), ledger, direct.newFromQemu()));
        nics.add(
            NicOptions.of(
                    "net" + nic,
                    new FrontEndAddress.Listen(file("m", nic)),
                    new BackEndAddress.Socket(file("t", nic)),
                    BackEndProfile.DPDK)
                .withRam(new GuestRamPlace.PidFile(pidFile())));
      }
      mediator =
          opened.add(
              Mediator.start(
                  MediatorOptions.of(nics).withPeer(peer + directory.resolve("peer")), ledger));
      for (int nic = 0; nic < NICS; nic++) {
        opened.add(Relay.start(file("f", nic), file("m", nic), ledger, mediated.newFromQemu()));
      }
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  private Path file(String what, int number) {
    return directory.resolve(name + "." + what + number);
  }

  private Path pidFile() {
    return directory.resolve(name + ".pid");
  }

  /** {@return the sockets for a QEMU that is mediated, or for one that is not} */
  List<Path> sockets(boolean mediated) {
    String what = mediated ? "f" : "e";
    return List.of(file(what, 0), file(what, 1));
  }

  /** This machine is the one here. */
  void runs(QemuGuest guest) {
    try {
      Files.writeString(pidFile(), guest.qemu().processId() + "\n");
    } catch (IOException e) {
      throw new VhostException("writing " + pidFile() + ": " + e, Recovery.GIVE_UP, e);
    }
  }

  void awaitPreset(Deadline deadline) {
    while (!mediator.status().stream().allMatch(nic -> nic.state().equals("PRESET"))) {
      if (deadline.expired()) {
        throw new VhostException("no presetup: " + mediator.status(), Recovery.GIVE_UP);
      }
      LockSupport.parkNanos(PAUSE.toNanos());
    }
  }

  void forget() {
    mediated.forget();
    direct.forget();
  }

  /** Waits for the start of the last device, and looks at what came since {@link #forget}. */
  Window awaitWindow(boolean isMediated, Deadline deadline) {
    Way way = isMediated ? mediated : direct;
    while (way.told().stream().filter(MediatedBenchHost::starts).count() < NICS) {
      if (deadline.expired()) {
        throw new VhostException(
            "QEMU did not start all devices: %d messages".formatted(way.told().size()),
            Recovery.GIVE_UP);
      }
      LockSupport.parkNanos(PAUSE.toNanos());
    }
    List<RelayedMessage> said = way.said();
    List<RelayedMessage> told = way.told();
    long first = said.stream().mapToLong(RelayedMessage::arrived).min().orElse(0);
    long features =
        said.stream()
            .filter(m -> is(m, FrontEndRequest.SET_FEATURES))
            .mapToLong(RelayedMessage::arrived)
            .min()
            .orElse(0);
    long end =
        told.stream()
            .filter(MediatedBenchHost::starts)
            .mapToLong(RelayedMessage::passed)
            .max()
            .orElse(0);
    int messages = (int) told.stream().filter(m -> m.arrived() <= end).count();
    long waited = way.fromQemu.stream().mapToLong(relay -> relay.waitedNanos(end)).sum();
    return new Window(end - first, end - features, waited, messages);
  }

  private static boolean is(RelayedMessage message, FrontEndRequest request) {
    int id = buffer(message).getInt(0);
    return Dialect.UPSTREAM.requestOf(id).filter(request::equals).isPresent();
  }

  private static boolean starts(RelayedMessage message) {
    return is(message, FrontEndRequest.SET_STATUS)
        && (buffer(message).getLong(Header.SIZE) & DeviceStatus.DRIVER_OK) != 0;
  }

  private static ByteBuffer buffer(RelayedMessage message) {
    return message.bytes().asBuffer().order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    opened.close();
  }
}
