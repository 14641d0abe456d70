package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.guest.DeviceAccess;
import io.github.jvhost.testkit.guest.DmaMode;
import io.github.jvhost.testkit.guest.GuestIommu;
import io.github.jvhost.testkit.guest.GuestNic;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.PingRecorder;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A VMM with one NIC at a real back end, and a guest that pings a peer through it. */
final class NetMachine implements AutoCloseable {
  private static final long MEMORY = 32L << 20;
  private static final Duration GRACE = Duration.ofMillis(200);

  final VhostNet net;
  final GuestMemory memory;
  final IommuTable iommu = new IommuTable();
  final List<RingEventfds> eventfds;
  private final EventFd controlCall;
  private final PingRecorder recorder = new PingRecorder(1);
  private final GuestNic nic;
  private @Nullable TestGuest guest;

  /**
   * What differs from one machine to another.
   *
   * @param number 1 to 99: its address is 10.0.0.number, and so on
   * @param peer the number of the machine that it pings
   * @param dma which addresses its driver tells; other than guest addresses behind an IOMMU
   * @param push whether the back end is told each mapping; otherwise what it has asked for
   * @param commands whether the driver negotiates all features that have commands
   */
  record Setup(
      int number,
      int peer,
      int queuePairs,
      boolean packed,
      DmaMode dma,
      boolean push,
      boolean commands) {
    Setup(int number, int peer, int queuePairs, boolean packed) {
      this(number, peer, queuePairs, packed, DmaMode.GUEST_ADDRESSES, false);
    }

    Setup(int number, int peer, int queuePairs, boolean packed, DmaMode dma, boolean push) {
      this(number, peer, queuePairs, packed, dma, push, false);
    }

    Setup withCommands() {
      return new Setup(number, peer, queuePairs, packed, dma, push, true);
    }

    boolean behindIommu() {
      return dma != DmaMode.GUEST_ADDRESSES;
    }

    MacAddress mac() {
      return macOf(number);
    }

    static MacAddress macOf(int machine) {
      return MacAddress.parse("52:54:00:00:01:%02d".formatted(machine));
    }

    GuestSettings guest() {
      return GuestSettings.of(
              macOf(peer), Ipv4Address.of(10, 0, 0, peer), Ipv4Address.of(10, 0, 0, number))
          .withQueuePairs(queuePairs)
          .withWantedFeatures(
              commands ? GuestSettings.FEATURES_WITH_COMMANDS : GuestSettings.KNOWN_FEATURES)
          .withDma(dma);
    }

    VirtioNet model() {
      long packedRings = packed ? NetFeature.RING_PACKED.mask() : 0;
      long platform = behindIommu() ? NetFeature.ACCESS_PLATFORM.mask() : 0;
      long more = commands ? GuestSettings.FEATURES_WITH_COMMANDS & ~NOT_OF_EACH : 0;
      return VirtioNet.builder("net" + number)
          .mac(mac())
          .maxQueuePairs(queuePairs)
          .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | packedRings | platform | more)
          .build();
    }
  }

  private static final long NOT_OF_EACH =
      NetFeature.maskOf(NetFeature.RING_PACKED, NetFeature.ACCESS_PLATFORM, NetFeature.MQ);

  /** Connects, and boots the guest; it does not run yet. */
  NetMachine(Setup setup, VhostDeviceOptions at) {
    this(setup, at, true, MEMORY);
  }

  /** The same with so much memory, in bytes. */
  static NetMachine withMemory(Setup setup, VhostDeviceOptions at, long memoryBytes) {
    return new NetMachine(setup, at, true, memoryBytes);
  }

  /** Connects, and waits for a guest that {@link #arrives}. */
  static NetMachine forArrival(Setup setup, VhostDeviceOptions at) {
    return new NetMachine(setup, at, false, MEMORY);
  }

  private NetMachine(Setup setup, VhostDeviceOptions at, boolean boots, long memoryBytes) {
    DescriptorLedger ledger = at.ledger();
    VirtioNet model = setup.model();
    memory = GuestMemory.builder(ledger).region("ram", 0, memoryBytes).build();
    eventfds = RingEventfds.create(ledger, model.name(), 2 * setup.queuePairs());
    controlCall = EventFd.create(ledger, "control call");
    var seen = new DeviceMemory(memory, setup.behindIommu() ? iommu : Iommu.NONE);
    net = VhostNet.connect(model, seen, eventfds, at);
    List<EventFd> calls = new ArrayList<>(eventfds.stream().map(RingEventfds::call).toList());
    calls.add(controlCall);
    nic =
        new GuestNic(
            model,
            eventfds.stream().map(RingEventfds::kick).toList(),
            calls,
            access(net),
            GuestIommu.of(iommu, net, setup.push()));
    model.onChange(change -> {
      if (change == DeviceChange.CONFIG_INTERRUPT) {
        nic.configChanged();
      } else if (change == DeviceChange.CONTROL_USED) {
        controlCall.signal();
      }
    });
    guest = boots ? TestGuest.boot(memory, List.of(nic), setup.guest(), recorder) : null;
  }

  private TestGuest guest() {
    return Objects.requireNonNull(guest, "no guest has arrived");
  }

  /** The guest that is in memory goes on here. */
  void arrives() {
    guest = TestGuest.attach(memory, List.of(nic), recorder);
    guest.start();
  }

  private static DeviceAccess access(VhostNet net) {
    return new DeviceAccess() {
      @Override
      public void registers(Runnable accesses) {
        net.access(accesses);
      }

      @Override
      public void controlKick() {
        net.serviceControlQueue();
      }
    };
  }

  static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(20));
  }

  void start() {
    guest().start();
  }

  void pause() {
    guest().pause(deadline());
  }

  void resume() {
    recorder.mark();
    guest().resume();
  }

  /** Runs work while the guest writes nothing; its device may. */
  void atSafePoint(Runnable work) {
    guest().atSafePoint(work, deadline());
  }

  /** Stops the back end and starts it again, under a guest that goes on. */
  void stopAndGoOn(int rounds) {
    for (int round = 0; round < rounds; round++) {
      assertThat(net.stop().orThrow().complete()).isTrue();
      // The first chain that was made available is index 0, so the ring has moved.
      assertThat(net.model().queue(1).next().toVhostBase()).isPositive();
      net.start();
      awaitAnswers(20);
    }
  }

  /** Waits until the guest has answers to so many pings that it sends from now on. */
  void awaitAnswers(int count) {
    long before = stats().answered();
    recorder.mark();
    Await.until(
        () -> count + " pings more are answered: " + this,
        () -> recorder.recovered() && stats().answered() >= before + count);
  }

  PingStats stats() {
    return recorder.stats(GRACE).getFirst();
  }

  int queuePairs() {
    return guest().queuePairs(0);
  }

  /** The driver gives its device another address, as a command. */
  void setMac(int number) {
    guest().setMac(0, Setup.macOf(number), deadline());
  }

  /** The driver gives a command, which the device has to take. */
  void command(ControlCommand command) {
    guest().command(0, command, deadline());
  }

  long answeredByGuest() {
    return guest().answeredEchoes(0);
  }

  /** All of guest memory. */
  byte[] content() {
    byte[] all = new byte[(int) memory.totalBytes()];
    memory.copyOut(0, all);
    return all;
  }

  /** The driver resets its device and begins anew. */
  void resetAndReinit() {
    guest().resetAndReinit(0, deadline());
  }

  /** No more pings; waits until none is on its way. */
  void drain() {
    guest().sending(false, deadline());
    Await.until(() -> "no ping is under way: " + this, () -> stats().inFlight() == 0);
  }

  /** Fails where the guest saw anything that should not be. */
  void assertSound() {
    assertThat(guest().problems()).isEmpty();
    assertThat(guest().verifyMailboxes(deadline())).isEmpty();
    assertThat(guest().verifyWorkingSet(deadline()).problems()).isEmpty();
    assertThat(stats().corrupt()).isZero();
  }

  @Override
  public String toString() {
    return stats() + " " + guest().problems();
  }

  @Override
  public void close() {
    if (guest != null) {
      guest.close();
    }
    net.close();
    eventfds.forEach(RingEventfds::close);
    controlCall.close();
    memory.close();
  }
}
