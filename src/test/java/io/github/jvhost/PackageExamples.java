package io.github.jvhost;

import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.mediate.FrontEndAddress;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.NicOptions;
import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.RamSource;
import io.github.jvhost.migration.RamTarget;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.guest.GuestNic;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.PingRecorder;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.ovs.OpenVswitch;
import io.github.jvhost.testkit.preview.PlanPreview;
import io.github.jvhost.testkit.preview.PlanPreviewBackEnd;
import io.github.jvhost.testkit.preview.PlanPreviewMemory;
import io.github.jvhost.testkit.preview.PlanPreviewState;
import io.github.jvhost.testkit.probe.BackEndProbe;
import io.github.jvhost.testkit.probe.ProbeResult;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.testkit.qemu.StorageDaemon;
import io.github.jvhost.testkit.scenario.MigrationScenario;
import io.github.jvhost.testkit.scenario.RunResult;
import io.github.jvhost.testkit.scenario.ScenarioOptions;
import io.github.jvhost.testkit.scenario.Variant;
import io.github.jvhost.testkit.trace.MessageLine;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.StreamRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * The examples of the packages' pages, one region each. What is public is enough for them; those
 * that need no other program are run by {@link PackageExamplesTest}.
 */
final class PackageExamples {
  private PackageExamples() {}

  static String plan(MemoryTable memory, BackEndCapabilities can) {
    // @start region="plan"
    var place = new RingAddresses(0x1000, 0x3000, 0x2000);
    var ring = new RingConfig(256, place, 0, null, null, null, true, false);
    var wanted =
        new DeviceConfig(
            DeviceConfig.Lifecycle.RUNNING,
            NetFeature.VERSION_1.mask(),
            1500,
            memory,
            null,
            List.of(ring, ring),
            0);
    Plan plan = Planner.plan(Shadow.nothingHeld(), wanted, can);
    String steps = plan.describe(); // "mtu not sent -> 1500 (not sent yet)" and so on
    // @end
    return steps;
  }

  static String root(VhostNet net) {
    String became;
    // @start region="root"
    try {
      became = "announced: " + net.announce();
    } catch (VhostException e) { // says what was being done, and what came back
      became =
          switch (e.recovery()) {
            case RETRY -> "the same call may work later";
            case RECONNECT -> "net.reconnect() may help";
            case GIVE_UP -> "nothing here helps: " + e.getMessage();
          };
    }
    // @end
    return became;
  }

  static long sys(DescriptorLedger ledger) {
    // @start region="sys"
    try (EventFd bell = EventFd.create(ledger, "bell")) {
      bell.signal(); // whoever has bell.descriptor() hears it
      return bell.drain(); // how often it rang since: 1
    }
    // @end
  }

  static VringState protocol() {
    // @start region="protocol"
    VringState base = new VringState(3, 4711); // ring 3 goes on at 4711
    ByteBuf wire = Unpooled.buffer();
    int id = Dialect.UPSTREAM.idOf(FrontEndRequest.SET_VRING_BASE).orElseThrow();
    Header.request(id, base.size(), true).encode(wire);
    base.encode(wire);

    Header header = Header.decode(wire); // throws ProtocolException where it makes no sense
    return (VringState) PayloadKind.VRING_STATE.decode(wire, header.size());
    // @end
  }

  static long channel(Path socket, DescriptorLedger ledger) {
    // @start region="channel"
    Deadline soon = Deadline.after(Duration.ofSeconds(30));
    try (var channel = VhostUserChannel.connect(socket, "net0", Dialect.UPSTREAM, ledger, soon)) {
      channel.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, List.of(), false, soon);
      channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon);
      Reply reply = channel.awaitReply(soon); // both have left with one write
      return ((U64) reply.payload()).value();
    } // DeadlineException: it did not answer in time, and the channel is of no use any more
    // @end
  }

  static long memory(DescriptorLedger ledger) {
    // @start region="memory"
    try (GuestMemory memory =
        GuestMemory.builder(ledger)
            .region("low", 0, 1 << 20)
            .region("high", 4L << 30, 1 << 20)
            .build()) {
      DirtyBitmap dirty = new DirtyBitmap(8L << 30); // as high as memory may ever reach
      memory.trackWrites(dirty);
      memory.putInt(0x1000, 42); // an address outside both throws GuestAddressException
      memory.addRegion("plugged", 5L << 30, 2 << 20);
      return dirty.count(); // 1 page
    }
    // @end
  }

  static VirtioNet virtio() {
    // @start region="virtio"
    VirtioNet nic = VirtioNet.builder("net0").mac(MacAddress.parse("52:54:00:12:34:56")).build();
    nic.setDriverFeatures(nic.deviceFeatures()); // what the driver writes
    nic.linkUp(false); // what the owner does; the driver sees it in the configuration space

    VirtioNetState saved = nic.snapshot();
    VirtioNet other = nic.twin(); // the same device, as it was when it was made
    other.restore(saved);
    return other;
    // @end
  }

  static void vhost(VirtioNet nic, GuestMemory memory, Path socket, DescriptorLedger ledger) {
    // @start region="vhost"
    List<RingEventfds> rings = RingEventfds.create(ledger, "net0", 2 * nic.maxQueuePairs());
    VhostDeviceOptions backEnd =
        VhostDeviceOptions.of("net0", socket, Dialect.UPSTREAM, BackEndProfile.GENERIC, ledger);
    try (VhostNet net = VhostNet.connect(nic, memory, rings, backEnd)) {
      net.access(() -> nic.setStatus(0)); // all that its driver writes goes this way
      System.out.println(net.refresh()); // what the back end was told, and why
    }
    rings.forEach(RingEventfds::close);
    // @end
  }

  static String vmstate(VirtioNetState state, InputStream stream) {
    // @start region="vmstate"
    // Our own envelope: one device, as long as it says.
    DeviceRecord early = VirtioNetVmState.toRecord("net0", DeviceRecord.Kind.EARLY, 0, state);
    DeviceRecord arrived = DeviceRecord.read(ByteBuffer.wrap(early.encode()));

    // QEMU's: everything that there is, up to the end.
    QemuStreamReader reader = QemuStreamReader.builder().open(stream);
    String machine = "";
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      if (next.get() instanceof StreamRecord.Configuration configuration) {
        machine = configuration.machine();
      }
    }
    // @end
    return machine + " " + arrived.device();
  }

  static SourceReport migrationSource(
      List<VhostNet> devices,
      RamSource ram,
      VmControl vm,
      MigrationLink link,
      DescriptorLedger ledger) {
    // @start region="migration"
    MigrationSource source =
        MigrationSource.builder(ledger).devices(devices).ram(ram).vm(vm).link(link).build();
    return source.run(); // on the destination MigrationDestination does the same
    // @end
  }

  static void migrationDestination(
      List<VhostNet> devices, RamTarget ram, VmControl vm, MigrationLink link) {
    MigrationDestination.builder()
        .devices(devices)
        .ram(ram)
        .vm(vm)
        .link(link)
        .presetup(PresetupMode.IMPLICIT)
        .build()
        .run();
  }

  static List<String> testkit(Path socket, DescriptorLedger ledger) {
    // @start region="testkit"
    Faults faults = Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Faults.Wrong.Refuse());
    try (MockBackEnd backEnd = MockBackEnd.builder(socket, ledger).faults(faults).start()) {
      // ... the front end that is to be tested connects to backEnd.socket() ...
      return backEnd.record().names(); // what it was told, in order
    }
    // @end
  }

  static void dpdk(Path socket) {
    // @start region="dpdk"
    if (Testpmd.available().isEmpty()) { // otherwise it says what is not installed
      Deadline soon = Deadline.after(Duration.ofSeconds(20));
      try (Testpmd testpmd = Testpmd.builder().port(socket).queuePairs(2).start(soon)) {
        // ... a front end connects to testpmd.socket(0) ...
        System.out.println(testpmd.statistics(soon));
      }
    }
    // @end
  }

  static TestGuest guest(GuestMemory memory, GuestNic nic) {
    // @start region="guest"
    GuestSettings settings =
        GuestSettings.of(
            MacAddress.parse("52:54:00:00:00:01"),
            Ipv4Address.of(10, 0, 0, 1),
            Ipv4Address.of(10, 0, 0, 2));
    PingRecorder recorder = new PingRecorder(1);
    TestGuest guest = TestGuest.boot(memory, List.of(nic), settings, recorder);
    guest.start(); // pings the peer; recorder.nic(0) knows what was answered
    // @end
    return guest;
  }

  static long net() {
    // @start region="net"
    LearningSwitch network = new LearningSwitch();
    MacAddress mac = MacAddress.parse("52:54:00:00:00:01");
    try (AnsweringHost host =
        AnsweringHost.start(network, "host", mac, Ipv4Address.of(10, 0, 0, 1))) {
      // MockBackEnd.builder(...).port(network.attach("net0")) plugs a back end in
      return host.answeredEchoes();
    }
    // @end
  }

  static void ovs(Path first, Path second) {
    // @start region="ovs"
    Deadline soon = Deadline.after(Duration.ofSeconds(30));
    try (OpenVswitch ovs = OpenVswitch.builder().port(first).port(second).start(soon)) {
      System.out.println(ovs.frames(0, soon)); // it connects to FrontEndListeners at both paths
    }
    // @end
  }

  static String process() {
    // @start region="process"
    Deadline soon = Deadline.after(Duration.ofSeconds(10));
    try (ChildProcess cat = ChildProcess.interactive("cat", List.of("cat"))) {
      long before = cat.transcript().position();
      cat.type("hello");
      cat.transcript().awaitText("hello", before, soon, "waiting for an echo");
      return cat.transcript().text();
    }
    // @end
  }

  static void qemu(Path disk, Path socket) {
    // @start region="qemu"
    Deadline soon = Deadline.after(Duration.ofSeconds(10));
    try (StorageDaemon daemon = StorageDaemon.builder(disk, socket).queues(2).start(soon)) {
      System.out.println(daemon.isAlive()); // a vhost-user-blk back end listens at the socket
    }
    // @end
  }

  static RamTarget ram(GuestMemory here, GuestMemory there) {
    // @start region="ram"
    RamSource source = new PreCopySource(here, 0, Runnable::run); // no guest to wait for
    RamTarget target = new InPlaceTarget(there); // pages land where back ends have them mapped
    source.begin();
    source.sendDirty((address, bytes) -> target.writable(address, bytes.remaining()).put(bytes));
    source.end();
    // @end
    return target;
  }

  static RunResult scenario() {
    // @start region="scenario"
    ScenarioOptions options = ScenarioOptions.of(Variant.EXPLICIT).sized(1, 1, 64L << 20);
    return new MigrationScenario(options, (_, _) -> {}).run();
    // @end
  }

  static String trace() {
    // @start region="trace"
    return MessageLine.of(new VringState(3, 4711)); // "vq=3 num=4711"
    // @end
  }

  static boolean probe(Path socket) {
    // @start region="probe"
    ProbeResult backEnd = BackEndProbe.probe(socket, Dialect.UPSTREAM, 100, Duration.ofSeconds(5));
    return backEnd.canLog(); // whether its guest can be migrated
    // @end
  }

  static PlanPreview preview(VirtioNetState saved, DescriptorLedger ledger) {
    // @start region="preview"
    PlanPreviewBackEnd backEnd = PlanPreviewBackEnd.dpdk();
    VirtioNetState state = PlanPreviewState.of(saved, backEnd).state();
    try (GuestMemory memory = PlanPreviewMemory.q35(4L << 30).allocate(ledger)) {
      return PlanPreview.of("net0", null, state, backEnd, memory, ledger);
    }
    // @end
  }

  static String mediate(Path listen, Path theSwitch, DescriptorLedger ledger) {
    // @start region="mediate"
    NicOptions net0 =
        NicOptions.of(
            "net0",
            new FrontEndAddress.Listen(listen), // QEMU connects here, and not to the switch
            new BackEndAddress.Socket(theSwitch),
            BackEndProfile.DPDK);
    try (Mediator mediator = Mediator.start(MediatorOptions.of(List.of(net0)), ledger)) {
      return mediator.status().getFirst().state(); // "NO_FRONT_END"
    }
    // @end
  }
}
