package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.mediate.FrontEndAddress;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.NicOptions;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.guest.DeviceAccess;
import io.github.jvhost.testkit.guest.GuestNic;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.PingRecorder;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.user.VhostUserFrontEnd;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;

/**
 * What a mediator costs while a guest runs: the gap in its pings when it moves to another switch,
 * and what a question to the mediator takes.
 *
 * <pre>
 *   guest, pings each millisecond -- mediator -+- switch a -- a host that answers
 *                                              +- switch b -- another one, with the same addresses
 * </pre>
 */
public final class MoveBench implements Bench {
  private static final String NIC = "net0";
  private static final long MEMORY_BYTES = 16 << 20;
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /** For this long the gaps of a round are looked at. */
  private static final Duration SPAN = Duration.ofMillis(50);

  private static final MacAddress HOST = MacAddress.parse("52:54:00:00:00:01");
  private static final Ipv4Address HOST_IP = Ipv4Address.of(10, 0, 0, 1);
  private static final Ipv4Address GUEST_IP = Ipv4Address.of(10, 0, 0, 2);

  private static final Question GAP =
      new Question(
          "a running guest moves to another mock switch, its longest gap between pings in %d ms;"
                  .formatted(SPAN.toMillis())
              + " to one that stays",
          new Goal.Known());

  private static final Question ANSWER =
      new Question(
          "a question that the mediator answers; to C that answers the same", new Goal.Known());

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  /** A benchmark without state. */
  public MoveBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    return Questions.of(GAP, ANSWER)
        .askWithPeerAnywhere(program -> List.of(gaps(effort), answers(program, effort)));
  }

  private BenchRow gaps(Effort effort) {
    try (var opened = new Opened()) {
      Path directory = opened.add(TemporaryDirectory.make()).path();
      Path a = mockSwitch(opened, directory.resolve("a"));
      Path b = mockSwitch(opened, directory.resolve("b"));
      Mediator mediator = mediator(opened, directory, a);
      var recorder = new PingRecorder(1);
      guest(opened, directory.resolve(NIC), recorder).start();
      List<Histogram> gaps =
          Rounds.run(
              effort,
              List.of(
                  () -> gap(recorder, () -> moveTo(mediator, at(mediator).equals(a) ? b : a)),
                  () -> gap(recorder, () -> {})));
      return GAP.timed(gaps.get(0), gaps.get(1));
    }
  }

  private static Path at(Mediator mediator) {
    return Path.of(String.valueOf(mediator.status().getFirst().theSwitch()));
  }

  private static void moveTo(Mediator mediator, Path theSwitch) {
    mediator.move(NIC, new BackEndAddress.Socket(theSwitch), PATIENCE);
  }

  /** A switch of its own, with a host that answers the guest. */
  private Path mockSwitch(Opened opened, Path socket) {
    var network = new LearningSwitch();
    opened.add(AnsweringHost.start(network, "host at " + socket.getFileName(), HOST, HOST_IP));
    opened.add(MockBackEnd.builder(socket, ledger).port(network.attach("nic")).start());
    return socket;
  }

  private Mediator mediator(Opened opened, Path directory, Path theSwitch) {
    var nic =
        NicOptions.of(
            NIC,
            new FrontEndAddress.Listen(directory.resolve(NIC)),
            new BackEndAddress.Socket(theSwitch),
            BackEndProfile.GENERIC);
    return opened.add(Mediator.start(MediatorOptions.of(List.of(nic)), ledger));
  }

  /** A guest with one NIC, which the mediator's switch serves. */
  private TestGuest guest(Opened opened, Path mediator, PingRecorder recorder) {
    GuestMemory memory =
        opened.add(GuestMemory.builder(ledger).region("ram", 0, MEMORY_BYTES).build());
    VirtioNet model = VirtioNet.builder(NIC).build();
    List<RingEventfds> rings = RingEventfds.create(ledger, NIC, 2 * model.maxQueuePairs());
    rings.forEach(ring -> opened.add(ring::close));
    EventFd control = opened.add(EventFd.create(ledger, NIC + " control call"));
    VhostNet net =
        opened.add(
            VhostNet.connect(model, memory, rings, VhostDeviceOptions.of(NIC, mediator, ledger)));
    var access =
        new DeviceAccess() {
          @Override
          public void registers(Runnable accesses) {
            net.access(accesses);
          }

          @Override
          public void controlKick() {
            net.serviceControlQueue();
          }
        };
    List<EventFd> calls = new ArrayList<>(rings.stream().map(RingEventfds::call).toList());
    calls.add(control);
    var nic = new GuestNic(model, rings.stream().map(RingEventfds::kick).toList(), calls, access);
    model.onChange(change -> {
      if (change == DeviceChange.CONTROL_USED) {
        control.signal();
      }
    });
    GuestSettings settings = GuestSettings.of(HOST, HOST_IP, GUEST_IP);
    return opened.add(TestGuest.boot(memory, List.of(nic), settings, recorder));
  }

  /** The longest time between two answers to the guest in a round. */
  private static long gap(PingRecorder recorder, Runnable what) {
    recorder.mark();
    long from = System.nanoTime();
    what.run();
    Deadline deadline = Deadline.after(PATIENCE);
    while (!recorder.recovered() || System.nanoTime() - from < SPAN.toNanos()) {
      if (deadline.expired()) {
        throw new VhostException("no ping is answered any more", Recovery.GIVE_UP);
      }
      LockSupport.parkNanos(1_000_000);
    }
    return recorder.stats(PATIENCE).getFirst().longestGapNanos();
  }

  private BenchRow answers(PeerProgram program, Effort effort) {
    try (var opened = new Opened()) {
      Path directory = opened.add(TemporaryDirectory.make()).path();
      List<Path> c = opened.add(AnsweringPeer.start(program, 2, Duration.ZERO)).sockets(2);
      mediator(opened, directory, c.get(0));
      VhostUserFrontEnd mediated = frontEnd(opened, directory.resolve(NIC));
      VhostUserFrontEnd direct = frontEnd(opened, c.get(1));
      List<Histogram> times =
          Rounds.run(effort.times(20), List.of(() -> asked(mediated), () -> asked(direct)));
      return ANSWER.timed(times.get(0), times.get(1));
    }
  }

  private VhostUserFrontEnd frontEnd(Opened opened, Path socket) {
    VhostUserChannel channel =
        opened.add(
            VhostUserChannel.connect(
                socket, "front end", Dialect.UPSTREAM, ledger, Deadline.after(PATIENCE)));
    return new VhostUserFrontEnd(channel, PATIENCE);
  }

  private static long asked(VhostUserFrontEnd frontEnd) {
    long from = System.nanoTime();
    frontEnd.getFeatures();
    return System.nanoTime() - from;
  }
}
