package io.github.jvhost.realbackend;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.cli.CommandLines;
import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What {@link KernelVhostNetTest} checks, run in its guest. Prints one line for each that passed.
 */
final class InKernelGuest extends InGuest {
  private static final int PAIRS = 2;

  // Numbers of ioctls, as the kernel's trace has them.
  private static final String BASE = "4008af12";
  private static final String NET_SET_BACKEND = "4008af30";
  private static final String TUNSETQUEUE = "400454d9";
  private static final String TUNSETOFFLOAD = "400454d0";

  private static final long TUNSETIFF = 0x400454caL;

  static final GuestChecks<InKernelGuest> CHECKS =
      GuestChecks.in(InKernelGuest::new)
          .check("frames go both ways, rings go on where they stopped", InKernelGuest::traffic)
          .check("a tap of one queue, a driver that begins anew", InKernelGuest::oneQueue)
          .check("the log has each page that the kernel wrote", InKernelGuest::log)
          .check("offloads that the driver switches reach the tap", InKernelGuest::offloads)
          .check("a window tells bases and starts rings", InKernelGuest::window)
          .check("a guest migrates from tap to tap, with pings both ways", InKernelGuest::demo)
          .check("what the kernel refuses is explained", InKernelGuest::refusals)
          .check("queues with other flags are refused", InKernelGuest::otherFlags)
          .check("a tap that was removed is missed, and not made", InKernelGuest::removedTap)
          .check("without descriptors nothing is left open", InKernelGuest::shortage)
          .check("probe says what vhost-net is", InKernelGuest::probe);

  private InKernelGuest(DescriptorLedger ledger) {
    super(ledger);
  }

  /** Runs all of them. */
  public static void main(String[] arguments) {
    CHECKS.run();
  }

  private VhostDeviceOptions at(String tap, int pairs) {
    return at(new BackEndAddress.Tap(tap, pairs));
  }

  private NetMachine machine(String tap, int pairs) {
    return new NetMachine(new NetMachine.Setup(1, 2, pairs, false), at(tap, pairs));
  }

  private void traffic() {
    try (var machine = machine("tap0", PAIRS)) {
      assertThat(machine.net.capabilities().profile()).isEqualTo(BackEndProfile.VHOST_NET);
      machine.start();
      machine.awaitAnswers(20 * PAIRS);
      assertThat(machine.queuePairs()).isEqualTo(PAIRS);
      machine.stopAndGoOn(3);
      machine.net.reconnect().orThrow();
      machine.awaitAnswers(10 * PAIRS);
      machine.drain();
      machine.assertSound();
    }
  }

  private void oneQueue() {
    try (var machine = machine("single", 1)) {
      machine.start();
      machine.awaitAnswers(20);
      machine.resetAndReinit();
      machine.awaitAnswers(20);
      assertThat(machine.net.announce()).isTrue();
      machine.drain();
      machine.assertSound();
    }
  }

  /** Logging is switched by the features too, and a tap is told its offloads with these. */
  private void offloads() {
    var setup = new NetMachine.Setup(1, 2, PAIRS, false).withCommands();
    try (var machine = new NetMachine(setup, at("tap0", PAIRS))) {
      machine.start();
      machine.awaitAnswers(10);
      Map<String, Long> ioctls = new TreeMap<>();
      IoctlTrace.during(
          ioctls,
          () -> {
            machine.command(new ControlCommand.Offloads(0));
            try (DirtyLog log = DirtyLog.create(ledger, machine.memory.table())) {
              machine.net.migration().logTo(log);
              machine.net.migration().logTo(null);
            }
            return null;
          });
      assertThat(ioctls).containsEntry(TUNSETOFFLOAD, 1L);
      ioctls.clear();
      IoctlTrace.during(ioctls, () -> machine.net.reconnect().orThrow());
      assertThat(ioctls).as("of each queue, and the command").containsEntry(TUNSETOFFLOAD, 3L);
      machine.awaitAnswers(10);
      machine.resetAndReinit();
      machine.awaitAnswers(10);
      machine.drain();
      machine.assertSound();
    }
  }

  /** A page that differs, and that the guest has not written, has to be in the log. */
  private void log() {
    try (var machine = machine("tap0", PAIRS)) {
      machine.start();
      machine.awaitAnswers(20);
      GuestMemory memory = machine.memory;
      long highest = memory.table().highestAddress();
      try (DirtyLog log = DirtyLog.create(ledger, memory.table())) {
        machine.net.migration().logTo(log);
        var byGuest = new DirtyBitmap(highest);
        List<byte[]> before = new ArrayList<>();
        machine.atSafePoint(() -> {
          memory.trackWrites(byGuest);
          before.addAll(pages(memory));
        });
        machine.awaitAnswers(50);
        machine.pause();
        machine.net.stop().orThrow();
        var byKernel = new DirtyBitmap(highest);
        assertThat(log.collectInto(byKernel)).isPositive();
        List<Long> unlogged = new ArrayList<>();
        int onlyByKernel = 0;
        List<byte[]> after = pages(memory);
        for (int i = 0; i < after.size(); i++) {
          long page = i * MemoryRegion.PAGE;
          if (!Arrays.equals(before.get(i), after.get(i)) && !byGuest.isMarked(page)) {
            onlyByKernel++;
            if (!byKernel.isMarked(page)) {
              unlogged.add(page);
            }
          }
        }
        assertThat(unlogged).isEmpty();
        assertThat(onlyByKernel).as("pages that only the kernel wrote").isPositive();
        machine.net.migration().logTo(null);
        machine.net.start();
        machine.resume();
        machine.awaitAnswers(10);
        assertThat(log.collectInto(new DirtyBitmap(highest))).as("logged when off").isZero();
        machine.drain();
        machine.assertSound();
      }
    }
  }

  private static List<byte[]> pages(GuestMemory memory) {
    List<byte[]> pages = new ArrayList<>();
    for (long at = 0; at < memory.table().highestAddress(); at += MemoryRegion.PAGE) {
      byte[] page = new byte[(int) MemoryRegion.PAGE];
      memory.copyOut(at, page);
      pages.add(page);
    }
    return pages;
  }

  /** From one tap to another, with the guest in the same memory. */
  private void window() {
    try (var machine = machine("tap0", PAIRS);
        VhostNet there =
            VhostNet.connect(
                new NetMachine.Setup(1, 2, PAIRS, false).model(),
                machine.memory,
                machine.eventfds,
                at("tap1", PAIRS))) {
      machine.start();
      machine.awaitAnswers(20);
      KernelWindow.presetTouchesNothing(PresetupMode.IMPLICIT, machine, there);
      machine.awaitAnswers(20); // it is served here still
      KernelWindow window = KernelWindow.open(machine, there);

      assertThat(window.started().plan().describe().lines())
          .hasSize(4 * PAIRS)
          .allMatch(step -> step.contains(" base ") || step.contains(" served "));
      assertThat(window.ioctls())
          .as("a base and a start for each ring, and each queue of the tap is attached")
          .isEqualTo(
              Map.of(BASE, 2L * PAIRS, NET_SET_BACKEND, 2L * PAIRS, TUNSETQUEUE, (long) PAIRS));
      assertThat(window.started().messages()).isEqualTo(2 * 2 * PAIRS + PAIRS);
      assertThat(there.announce()).isTrue();
      KernelWindow.goOn(machine, there);
    }
  }

  private void demo() {
    assertThat(
            CommandLines.printed(
                "demo",
                "--back-end=vhost-net",
                "--devices=1",
                "--queue-pairs=2",
                "--memory=16M",
                "--presetup=implicit",
                "--json"))
        .contains("\"ranOn\" : \"destination\"", "\"recovered\" : true", "\"fallback\" : null");
  }

  private void refusals() {
    assertThatThrownBy(() -> VhostDevice.connect(at("single", PAIRS)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(
            "open a queue of the tap single: ioctl TUNSETIFF failed with errno 22")
        .hasMessageContaining("it has to be a tap, with multi_queue for more than one pair");
    assertThatThrownBy(() -> VhostDevice.connect(at("new", 1)))
        .hasMessageContaining("there is no interface new: make it")
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.RETRY));
    assertThatThrownBy(() -> VhostDevice.connect(at("br0", 1)))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("it has to be a tap");
    for (String tap : List.of("tap0", "single")) {
      assertThat(asUser(2000, () -> VhostDevice.connect(at(tap, 1)).close()))
          .hasMessageContaining("open a queue of the tap " + tap)
          .hasMessageContaining("ioctl TUNSETIFF failed with errno 1:")
          .hasMessageContaining("the interface does not belong to this user");
    }
    try (var machine = machine("tap0", 1)) {
      // The tap is told of the offloads with the features, and not when the driver changes them.
      assertThat(NetFeature.CTRL_GUEST_OFFLOADS.in(machine.net.model().deviceFeatures())).isFalse();
    }
  }

  /** Each row: the flags with which somebody has opened a queue, and what it lacks. */
  private void otherFlags() {
    int multi = 0x100;
    assertQueueRefused(null, 0, "or its owner has not asked for one yet");
    assertQueueRefused("tun0", 0x1001 | multi | 0x4000, "has no IFF_TAP");
    assertQueueRefused("bare", 0x1002 | multi, "has no IFF_VNET_HDR");
    try (OwnedDescriptor _ = queue("shared", 0x1002 | multi)) {
      assertThatThrownBy(() -> VhostDevice.connect(at("shared", 1)))
          .hasMessageContaining("the tap shared has no IFF_VNET_HDR: make it with \"vnet_hdr\"");
    }
    try (OwnedDescriptor good = queue("good", 0x1002 | multi | 0x4000)) {
      VhostDevice.connect(at(new BackEndAddress.TapQueues(List.of(good)))).close();
      try (OwnedDescriptor none = queue(null, 0)) { // the first is closed again then
        var options = at(new BackEndAddress.TapQueues(List.of(good, none)));
        assertThatThrownBy(() -> VhostDevice.connect(options)).isInstanceOf(VhostException.class);
      }
    }
  }

  private void assertQueueRefused(@Nullable String tap, int flags, String why) {
    try (OwnedDescriptor queue = queue(tap, flags)) {
      var options = at(new BackEndAddress.TapQueues(List.of(queue)));
      assertThatThrownBy(() -> VhostDevice.connect(options))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining(why);
    }
  }

  /** A queue that somebody else has opened. */
  private OwnedDescriptor queue(@Nullable String tap, int flags) {
    int number = Linux.open("/dev/net/tun", Linux.O_RDWR | Linux.O_NONBLOCK);
    OwnedDescriptor queue = OwnedDescriptor.adopt(ledger, number, "queue of " + tap);
    if (tap != null) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment request = arena.allocate(40);
        request.setString(0, tap);
        request.set(JAVA_SHORT, 16, (short) flags);
        MemorySegment state = arena.allocate(Linux.CALL_STATE);
        assertThat(Linux.ioctl(state, number, TUNSETIFF, request.address())).isZero();
      }
    }
    return queue;
  }

  /** The guest hears nothing of it. Whoever starts the device does. */
  private void removedTap() {
    for (String kind : List.of("multi_queue", "one_queue")) {
      addTap(kind);
      try (var machine = machine("gone", 1)) {
        machine.start();
        machine.awaitAnswers(10);
        run("ip", "link", "del", "gone");
        machine.net.stop().orThrow();
        assertThatThrownBy(() -> machine.net.start().orThrow())
            .as(kind)
            .hasMessageContaining("its interface was removed; make it again, and connect again");
        assertThatThrownBy(() -> machine.net.reconnect())
            .as(kind)
            .hasMessageContaining("there is no interface gone: make it");
        addTap(kind);
        machine.net.reconnect().orThrow();
        machine.awaitAnswers(10);
        machine.drain();
        machine.assertSound();
      }
      run("ip", "link", "del", "gone");
    }
  }

  private static void addTap(String kind) {
    run("ip", "tuntap", "add", "mode", "tap", kind, "vnet_hdr", "name", "gone");
    run("ip", "link", "set", "gone", "master", "br0", "up");
  }

  private void shortage() {
    runsOutOfDescriptors(at("tap0", PAIRS));
  }

  private void probe() {
    assertThat(CommandLines.printed("probe", "/dev/vhost-net"))
        .contains(
            "vhost-net of the kernel", "LOG_ALL VIRTIO_NET_HDR", "a table of up to 64 regions")
        .contains("of these VIRTIO_NET_HDR and ACCESS_PLATFORM are not used")
        .doesNotContain("ANY_LAYOUT")
        .contains("early: size, address, kick, call of each ring, memory, features")
        .contains("in the stop window: of each ring base and start");
  }
}
