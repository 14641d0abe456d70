package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Test aid: devices with two queue pairs each, their guest's memory, and a back end for each at the
 * other end of a real socket.
 *
 * <pre>
 *   device d, ring r at (16 d + r + 1) x 64 KiB: descriptors, + 8 KiB available, + 12 KiB used
 * </pre>
 */
final class Rig implements AutoCloseable {
  static final int PAIRS = 2;
  static final int RINGS = 2 * PAIRS;
  private static final int SIZE = 256;
  private static final int RINGS_OF_A_DEVICE = 16;
  private static final long COMMAND = 0x3f0000;
  static final byte NO_ANSWER = 0x55;

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 4 << 20).build();
  final List<MockBackEnd> backEnds = new ArrayList<>();
  final List<VhostNet> nets = new ArrayList<>();
  final List<List<RingEventfds>> eventfds = new ArrayList<>();
  private final Path dir;
  private final BackEndOffer offer;
  private final BackEndProfile profile;
  private int commands;

  Rig(Path dir, int devices, BackEndOffer offer, BackEndProfile profile) {
    this.dir = dir;
    this.offer = offer;
    this.profile = profile;
    try {
      for (int i = 0; i < devices; i++) {
        backEnds.add(backEnd(i, offer));
        eventfds.add(RingEventfds.create(ledger, "net" + i, RINGS));
        nets.add(connect(i, Duration.ofSeconds(10)));
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private MockBackEnd backEnd(int device, BackEndOffer what) {
    return MockBackEnd.builder(dir.resolve("net" + device), ledger).offer(what).start();
  }

  /** One device more, whose back end does this wrong; it is not connected to. */
  MockBackEnd addBackEnd(Faults faults) {
    int device = backEnds.size();
    backEnds.add(
        MockBackEnd.builder(dir.resolve("net" + device), ledger)
            .offer(offer)
            .faults(faults)
            .start());
    eventfds.add(RingEventfds.create(ledger, "net" + device, RINGS));
    return backEnds.getLast();
  }

  static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(20));
  }

  VhostDeviceOptions options(int device, Duration transitionWithin) {
    Dialect dialect = offer.dialect();
    return VhostDeviceOptions.of(
            "net" + device, dir.resolve("net" + device), dialect, profile, ledger)
        .withBounds(Duration.ofSeconds(10), Duration.ofSeconds(20), transitionWithin);
  }

  VhostNet connect(int device, Duration transitionWithin) {
    return connect(device, options(device, transitionWithin));
  }

  VhostNet connect(int device, VhostDeviceOptions options) {
    return connect(device, model(device).build(), options);
  }

  VhostNet connect(int device, VirtioNet model, VhostDeviceOptions options) {
    return VhostNet.connect(model, memory, eventfds.get(device), options);
  }

  static VirtioNetBuilder model(int device) {
    return VirtioNet.builder("net" + device)
        .maxQueuePairs(PAIRS)
        .deviceFeatures(
            VirtioNetBuilder.DEFAULT_FEATURES
                | NetFeature.maskOf(NetFeature.RING_PACKED, NetFeature.RING_RESET));
  }

  /** Waits until a device runs, and so does its back end; false if the time is over before. */
  boolean comesToRun(int device, Deadline end) {
    while (!nets.get(device).running() || !backEnds.get(device).isRunning()) {
      if (end.expired()) {
        return false;
      }
      Thread.onSpinWait();
    }
    return true;
  }

  /** A back end that is in the place of the one before. */
  void replaceBackEnd(BackEndOffer what) {
    backEnd().close();
    backEnds.set(0, backEnd(0, what));
  }

  VhostNet net() {
    return nets.getFirst();
  }

  MockBackEnd backEnd() {
    return backEnds.getFirst();
  }

  // ---- the driver ----

  /** The driver sets everything up and makes the device live; the back end is told nothing. */
  void driveAll() {
    for (int i = 0; i < nets.size(); i++) {
      drive(nets.get(i), i);
    }
  }

  static void drive(VhostNet net, int device) {
    VirtioNet model = net.model();
    negotiate(model);
    for (int ring = 0; ring <= RINGS; ring++) {
      setUp(model, device, ring);
    }
    model.setStatus(0xf);
  }

  static void negotiate(VirtioNet model) {
    model.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    model.setDriverFeatures(model.deviceFeatures());
    model.setStatus(0xb);
    assertThat(model.status()).isEqualTo(0xb);
  }

  static void setUp(VirtioNet model, int device, int ring) {
    long at = at(device, ring);
    int size = ring < RINGS ? SIZE : 64;
    model.configureQueue(ring, size, at, at + 0x2000, at + 0x3000);
  }

  private static long at(int device, int ring) {
    return 0x10000L * (RINGS_OF_A_DEVICE * device + ring + 1); // 0 would be: not set up
  }

  /** Where each data ring of each device is, in its model and in guest memory: 1000 d + 10 + r. */
  void ringsAreAtSomeIndex() {
    for (int d = 0; d < nets.size(); d++) {
      for (int r = 0; r < RINGS; r++) {
        int index = 1000 * d + 10 + r;
        nets.get(d).model().setNextIndex(r, RingIndex.split(index));
        used(d, r, index);
      }
    }
  }

  /** Plays a back end that has got to this index. */
  void used(int device, int ring, int index) {
    memory.putShort(at(device, ring) + 0x2000 + 2, (short) index);
    memory.putShort(at(device, ring) + 0x3000 + 2, (short) index);
  }

  /** The driver, or whoever wrote there, says that it has made this many chains available. */
  void availIndex(int device, int ring, int index) {
    memory.putShortRelease(at(device, ring) + 0x2000 + 2, (short) index);
  }

  /** Plays a back end that has used the first descriptor of a packed ring, in its first lap. */
  void packedUsed(int device, int ring) {
    memory.putShort(at(device, ring) + 14, (short) 0x8080);
  }

  /** A packed ring as its driver has made it, with nothing available. */
  void packedBlank(int device, int ring) {
    memory.copyIn(at(device, ring), new byte[16 * SIZE]);
  }

  /** Plays a back end that has used all of a packed ring in its first lap. */
  void packedLap(int device, int ring) {
    for (int i = 0; i < SIZE; i++) {
      memory.putShort(at(device, ring) + 16L * i + 14, (short) 0x8080);
    }
  }

  /** The driver of device 0 asks for this many queue pairs on its control queue. */
  void setQueuePairs(int pairs) {
    wantQueuePairs(pairs);
    assertThat(net().serviceControlQueue()).isEqualTo(1);
    assertThat(answer()).isZero();
  }

  /** The same, but nobody is kicked. */
  void wantQueuePairs(int pairs) {
    want(new ControlCommand.QueuePairs(pairs));
  }

  /** The driver posts a command, and nobody is kicked. */
  void want(ControlCommand command) {
    long ring = at(0, RINGS);
    byte[] data = command.data();
    memory.copyIn(COMMAND, new byte[] {(byte) command.commandClass(), (byte) command.command()});
    memory.copyIn(COMMAND + 2, data);
    descriptor(ring, COMMAND, 2 + data.length, 1 /* NEXT */, 1);
    descriptor(ring + 16, COMMAND + 64, 1, 2 /* WRITE */, 0);
    memory.putShort(ring + 0x2000 + 4 + 2L * (commands % 64), (short) 0);
    commands++;
    memory.putByte(COMMAND + 64, NO_ANSWER);
    memory.putShortRelease(ring + 0x2000 + 2, (short) commands);
  }

  /** What the last command was answered; {@link #NO_ANSWER}: nothing yet. */
  byte answer() {
    return memory.getByte(COMMAND + 64);
  }

  /** How many commands were given back. */
  int commandsUsed() {
    return memory.getShortAcquire(at(0, RINGS) + 0x3000 + 2) & 0xffff;
  }

  private void descriptor(long at, long address, int length, int flags, int next) {
    memory.putLong(at, address);
    memory.putInt(at + 8, length);
    memory.putShort(at + 12, (short) flags);
    memory.putShort(at + 14, (short) next);
  }

  // ---- migration ----

  List<PresetupResult> presetup(PresetupMode mode) {
    backEnds.forEach(b -> b.guestMemoryComplete(false));
    List<VhostNetGroup.EarlyState> early = new ArrayList<>();
    for (VhostNet net : nets) {
      early.add(new VhostNetGroup.EarlyState(net, net.snapshot(), 1));
    }
    List<PresetupResult> results = VhostNetGroup.presetupUnrehearsed(mode, early, () -> false);
    backEnds.forEach(b -> b.guestMemoryComplete(true));
    return results;
  }

  // ---- what went over the wire ----

  /** The names from a mark on, once there are that many; the last may not have been answered. */
  List<String> names(int device, int mark, int count) throws InterruptedException {
    var record = backEnds.get(device).record();
    assertThat(record.await(r -> r.names(mark).size() >= count, soon()))
        .as("%s", record.names(mark))
        .isTrue();
    return record.names(mark);
  }

  /** The names from a mark on, "!" where an acknowledgement was asked for. */
  static List<String> marked(List<RecordedMessage> messages) {
    return messages.stream().map(m -> m.name() + (m.needReply() ? "!" : "")).toList();
  }

  void noRuleWasBroken() {
    for (MockBackEnd backEnd : backEnds) {
      assertThat(backEnd.record().violations()).isEmpty();
    }
  }

  @Override
  public void close() {
    nets.forEach(VhostNet::close);
    backEnds.forEach(MockBackEnd::close);
    eventfds.forEach(all -> all.forEach(RingEventfds::close));
    memory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
