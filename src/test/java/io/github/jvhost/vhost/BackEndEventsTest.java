package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.FrontEndAnswer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a back end asks by itself, while a plan waits for it and while nothing is under way. */
class BackEndEventsTest {
  @TempDir private Path dir;

  private final Heard heard = new Heard();

  /** An embedder that accepts doorbell pages and writes down what it hears. */
  private static final class Heard implements BackEndEvents {
    private final BlockingQueue<String> all = new LinkedBlockingQueue<>();

    /** What it does besides when the configuration has changed. */
    private volatile @Nullable Supplier<String> asks;

    @Override
    public void configChanged() {
      all.add("config");
      if (asks != null) {
        all.add(asks.get());
      }
    }

    @Override
    public boolean hostNotifier(int ring, @Nullable OwnedDescriptor page, long offset, long size) {
      all.add((page == null ? "withdrawn " : "offered ") + ring);
      if (page != null) {
        page.close();
      }
      return true;
    }

    @Override
    public boolean shmemMap(MmapRequest request, OwnedDescriptor file) {
      file.close();
      all.add("map " + range(request));
      return true;
    }

    @Override
    public boolean shmemUnmap(MmapRequest request) {
      all.add("unmap " + range(request));
      return switch (request.region()) {
        case 7 -> false;
        case 8 -> throw new IllegalStateException("on purpose");
        default -> true;
      };
    }

    private static String range(MmapRequest request) {
      return "%d:%x+%x".formatted(request.region(), request.regionOffset(), request.length());
    }

    @Override
    public void ringFailed(int ring) {
      all.add("failed " + ring);
    }

    String next() throws InterruptedException {
      String what = all.poll(20, TimeUnit.SECONDS);
      return what == null ? "nothing within 20 s" : what;
    }
  }

  private static BackEndOffer offer() {
    return BackEndOffer.of(Personality.GENERIC)
        .with(ProtocolFeature.BACKEND_REQ)
        .with(ProtocolFeature.BACKEND_SEND_FD)
        .with(ProtocolFeature.CONFIG)
        .with(ProtocolFeature.HOST_NOTIFIER)
        .with(ProtocolFeature.SHARED_OBJECT)
        .with(ProtocolFeature.SHMEM)
        .with(ProtocolFeature.INBAND_NOTIFICATIONS);
  }

  private Rig rig(ProtocolFeature... wanted) {
    return rig(heard, wanted);
  }

  private Rig rig(BackEndEvents events, ProtocolFeature... wanted) {
    Rig rig = new Rig(dir, 0, offer(), BackEndProfile.GENERIC);
    rig.addBackEnd(Faults.none());
    VhostDeviceOptions options = rig.options(0, Duration.ofSeconds(10)).withEvents(events);
    for (ProtocolFeature feature : wanted) {
      options = options.with(feature);
    }
    rig.nets.add(rig.connect(0, options));
    return rig;
  }

  private static long result(CompletableFuture<FrontEndAnswer> asked) throws Exception {
    try (var _ = Closing.of(asked.get(20, TimeUnit.SECONDS))) {
      return asked.get().result();
    }
  }

  /** Closes an answer's descriptors. */
  private record Closing(FrontEndAnswer answer) implements AutoCloseable {
    static Closing of(FrontEndAnswer answer) {
      return new Closing(answer);
    }

    @Override
    public void close() {
      answer.close();
    }
  }

  @Test
  void aBackEndThatWaitsForUsIsServedInTheStopWindow() throws Exception {
    try (Rig rig = rig(ProtocolFeature.CONFIG)) {
      rig.backEnd()
          .arm(
              Faults.none()
                  .at(
                      FrontEndRequest.SET_MEM_TABLE,
                      1,
                      new Faults.Wrong.AskFirst(
                          BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE))
                  .at(
                      FrontEndRequest.GET_STATUS,
                      1,
                      new Faults.Wrong.AskFirst(
                          BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE)));
      rig.driveAll();
      List<StartResult> started = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
      assertThat(started.getFirst().fallback()).isNull();
      assertThat(heard.next()).isEqualTo("config");
      assertThat(heard.next()).isEqualTo("config");
    }
  }

  @Test
  void whatIsAskedWhileNothingIsUnderWayIsServedToo() throws Exception {
    try (Rig rig = rig(ProtocolFeature.CONFIG);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      assertThat(result(rig.backEnd().changeConfig(new byte[] {1}))).isZero();
      assertThat(heard.next()).isEqualTo("config");
      assertThat(result(rig.backEnd().askNonsense(99, flags(), new byte[8], List.of())))
          .as("an unknown request")
          .isEqualTo(1);
      assertThat(
              result(
                  rig.backEnd()
                      .askFrontEnd(
                          BackEndRequest.VRING_CALL, new VringState(0, 0), List.of(), true)))
          .as("one that was not negotiated")
          .isEqualTo(1);
      assertThat(result(rig.backEnd().changeConfig(new byte[] {2}))).as("and goes on").isZero();
    }
  }

  /** Its configuration, its shared memory, and an object that it offers. */
  @Test
  void whatABackEndSpeaksOfCanBeAskedFor() throws Exception {
    SharedObject known = new SharedObject(new UUID(1, 2));
    SharedObject other = new SharedObject(new UUID(3, 4));
    ProtocolFeature[] all = {
      ProtocolFeature.CONFIG, ProtocolFeature.SHARED_OBJECT, ProtocolFeature.SHMEM
    };
    try (Rig rig = rig(all);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE);
        MemoryFile object = MemoryFile.create(rig.ledger, "picture", 4096)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.backEnd().device().sharedMemory(1, 8192);
      rig.backEnd().device().share(known.uuid(), object.descriptor().duplicate());
      assertThat(result(rig.backEnd().changeConfig(new byte[] {1, 2, 3, 4}))).isZero();

      assertThat(rig.net().backEndConfig(1, 2)).containsExactly(2, 3);
      assertThat(rig.net().sharedMemory().subList(0, 3)).containsExactly(0L, 8192L, 0L);
      assertThat(rig.net().sharedObject(other)).isEmpty();
      try (OwnedDescriptor found = rig.net().sharedObject(known).orElseThrow()) {
        assertThat(Files.readSymbolicLink(Path.of("/proc/self/fd/" + found.number())).toString())
            .contains("picture");
      }
    }
  }

  @Test
  void whatWasNotNegotiatedIsNotAskedFor() {
    try (Rig rig = rig()) {
      assertThatThrownBy(() -> rig.net().backEndConfig(0, 6))
          .isInstanceOf(VhostException.class)
          .hasMessageContainingAll("net0", "GET_CONFIG", "CONFIG")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.GIVE_UP);
      assertThat(rig.net().connected()).isTrue();
    }
  }

  /** What an implementation may do is the same, whoever waits for the back end. */
  @Test
  void aDeviceMayBeLookedAtAndKickedWhileItsBackEndIsAnsweredAndToldNothing() throws Exception {
    try (Rig rig = rig(ProtocolFeature.CONFIG);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      VhostNet net = rig.net();
      rig.driveAll();
      heard.asks =
          () -> {
            net.kick(0);
            boolean live = net.read(VirtioNet::live) && net.snapshot() != null;
            try {
              net.access(() -> net.model().mtu(1300));
              return "told";
            } catch (IllegalStateException e) {
              return live + ", " + e.getMessage();
            }
          };
      Map<FrontEndRequest, Runnable> whoeverWaits = new LinkedHashMap<>();
      whoeverWaits.put(FrontEndRequest.SET_VRING_CALL, () -> rig.presetup(PresetupMode.IMPLICIT));
      whoeverWaits.put(
          FrontEndRequest.SET_VRING_KICK, () -> VhostNetGroup.start(rig.nets, StartOrder.PLANNED));
      whoeverWaits.put(FrontEndRequest.GET_VRING_BASE, net::stop);
      whoeverWaits.put(FrontEndRequest.GET_FEATURES, () -> net.ask(RoundTrip::features));
      whoeverWaits.forEach((request, transition) -> {
        var question =
            new Faults.Wrong.AskFirst(BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE);
        rig.backEnd().arm(Faults.none().at(request, 1, question));
        transition.run();
        assertThat(heard.all.poll()).as("%s", request).isEqualTo("config");
        assertThat(heard.all.poll())
            .as("%s", request)
            .startsWith("true, net0: BackEndEvents answers the back end on this thread");
      });
      watch.watch(net, new ReconnectPolicy.Never());
      assertThat(result(rig.backEnd().changeConfig(new byte[] {1}))).isZero();
      assertThat(heard.next()).isEqualTo("config");
      assertThat(heard.next()).startsWith("true, net0: BackEndEvents");
    }
  }

  private static int flags() {
    return Header.VERSION | Header.NEED_REPLY;
  }

  @Test
  void aDoorbellIsWithdrawnBeforeItsRingStops() throws Exception {
    try (Rig rig = rig(ProtocolFeature.HOST_NOTIFIER);
        EventFd page = EventFd.create(rig.ledger, "page");
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.driveAll();
      rig.net().start();
      assertThat(result(rig.backEnd().hostNotifier(1, page.descriptor(), 0, 4096))).isZero();
      assertThat(heard.next()).isEqualTo("offered 1");
      rig.net().stop();
      assertThat(heard.next()).isEqualTo("withdrawn 1");
    }
  }

  /** The second device's stop cannot even begin, so the first one's is not sent. */
  @Test
  void aStopThatIsGivenUpLeavesADeviceItsDoorbell() throws Exception {
    try (Rig rig = rig(ProtocolFeature.HOST_NOTIFIER);
        EventFd page = EventFd.create(rig.ledger, "page");
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.addBackEnd(Faults.none());
      rig.nets.add(rig.connect(1, Duration.ofSeconds(10)));
      rig.driveAll();
      rig.nets.forEach(VhostNet::start);
      assertThat(result(rig.backEnd().hostNotifier(1, page.descriptor(), 0, 4096))).isZero();
      assertThat(heard.next()).isEqualTo("offered 1");
      try (var stop = new DeviceStop(rig.nets, StartOrder.PLANNED)) {
        rig.nets.get(1).close();
        assertThatThrownBy(stop::stop).isInstanceOf(IllegalStateException.class);
      }
      assertThat(rig.net().running()).isTrue();
      assertThat(heard.all).as("it is served through that page").isEmpty();

      rig.net().stop();
      assertThat(heard.next()).isEqualTo("withdrawn 1");
    }
  }

  private static long map(Rig rig, MmapRequest what, EventFd file) throws Exception {
    return result(
        rig.backEnd()
            .askFrontEnd(BackEndRequest.SHMEM_MAP, what, List.of(file.descriptor()), true));
  }

  private static long unmap(Rig rig, MmapRequest what) throws Exception {
    return result(rig.backEnd().askFrontEnd(BackEndRequest.SHMEM_UNMAP, what, List.of(), true));
  }

  private static MmapRequest range(int region, long offset, long length) {
    return new MmapRequest(region, 0, offset, length, true);
  }

  @Test
  void aRangeOfSharedMemoryIsMappedOnceAndUnmappedWhole() throws Exception {
    try (Rig rig = rig(ProtocolFeature.SHMEM);
        EventFd file = EventFd.create(rig.ledger, "file");
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());

      assertThat(map(rig, range(1, 0x2000, 0x2000), file)).isZero();
      assertThat(map(rig, range(2, 0x2000, 0x2000), file)).as("another region").isZero();
      assertThat(map(rig, range(1, 0x3000, 0x2000), file)).as("its last page").isEqualTo(1);
      assertThat(map(rig, range(1, 0x1000, 0x4000), file)).as("around it").isEqualTo(1);
      assertThat(map(rig, range(1, 0x2000, 0x2000), file)).as("the same again").isEqualTo(1);
      assertThat(map(rig, range(1, 0, 0), file)).as("nothing").isEqualTo(1);
      assertThat(map(rig, range(1, -0x1000, 0x1000), file)).as("where 64 bits end").isZero();
      assertThat(map(rig, range(1, -0x1000, 0x1000), file)).as("there again").isEqualTo(1);
      assertThat(map(rig, range(1, 0x4000, 0x1000), file)).as("right behind").isZero();
      assertThat(unmap(rig, range(1, 0x2000, 0x1000))).as("a part").isEqualTo(1);
      assertThat(unmap(rig, range(1, 0x8000, 0x1000))).as("what is not mapped").isEqualTo(1);
      assertThat(unmap(rig, range(1, 0x2000, 0x2000))).isZero();
      assertThat(map(rig, range(1, 0x3000, 0x1000), file)).as("free again").isZero();

      assertThat(heard.all)
          .as("the embedder is asked for what can be")
          .containsExactly(
              "map 1:2000+2000",
              "map 2:2000+2000",
              "map 1:fffffffffffff000+1000",
              "map 1:4000+1000",
              "unmap 1:2000+2000",
              "map 1:3000+1000");
    }
  }

  @Test
  void whatIsMappedEndsWithAResetAndWithTheConnection() throws Exception {
    try (Rig rig = rig(ProtocolFeature.SHMEM);
        EventFd file = EventFd.create(rig.ledger, "file");
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.driveAll();
      rig.net().start();
      assertThat(map(rig, range(0, 0, 0x1000), file)).isZero();
      assertThat(map(rig, range(3, 0x1000, 0x1000), file)).isZero();
      heard.all.clear();

      rig.net().model().setStatus(0);
      assertThat(heard.all).containsExactly("unmap 0:0+1000", "unmap 3:1000+1000");
      assertThat(unmap(rig, range(0, 0, 0x1000))).as("is gone already").isEqualTo(1);

      assertThat(map(rig, range(0, 0, 0x1000), file)).isZero();
      heard.all.clear();
      rig.net().close();
      assertThat(heard.all).containsExactly("unmap 0:0+1000");
    }
  }

  @Test
  void aRingThatTheBackEndGivesUpIsReported() throws Exception {
    try (Rig rig = new Rig(dir, 0, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      rig.addBackEnd(Faults.none());
      rig.eventfds.set(
          0,
          rig.eventfds.getFirst().stream()
              .map(n -> n.withErr(EventFd.create(rig.ledger, "err")))
              .toList());
      rig.nets.add(rig.connect(0, rig.options(0, Duration.ofSeconds(10)).withEvents(heard)));
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.driveAll();
      rig.net().start();
      assertThat(rig.backEnd().record().count(FrontEndRequest.SET_VRING_ERR)).isEqualTo(4);
      rig.availIndex(0, 1, 60_000); // more than the ring has entries
      rig.net().kick(1);
      assertThat(heard.next()).isEqualTo("failed 1");
    }
  }

  @Test
  void inBandKicksAndCallsAreMessages() throws Exception {
    try (Rig rig = rig(ProtocolFeature.INBAND_NOTIFICATIONS);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.driveAll();
      rig.net().start();
      rig.net().ask(RoundTrip::features); // what came before it was handled
      assertThat(rig.backEnd().record().descriptors(FrontEndRequest.SET_VRING_KICK)).isZero();
      assertThat(rig.backEnd().record().count(FrontEndRequest.VRING_KICK))
          .as("each ring is woken once")
          .isEqualTo(4);
      EventFd call = rig.eventfds.getFirst().getFirst().call();
      call.drain();
      assertThat(
              result(
                  rig.backEnd()
                      .askFrontEnd(
                          BackEndRequest.VRING_CALL, new VringState(0, 0), List.of(), true)))
          .isZero();
      assertThat(call.drain()).isEqualTo(1);
      rig.net().kick(1);
      assertThat(
              rig.backEnd()
                  .record()
                  .await(r -> r.count(FrontEndRequest.VRING_KICK) == 5, Rig.soon()))
          .as("a kick is sent by another thread")
          .isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void whatCannotBeUnmappedKeepsNothingElseFromIt() throws Exception {
    try (Rig rig = rig(ProtocolFeature.SHMEM);
        EventFd file = EventFd.create(rig.ledger, "file");
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      for (int region = 7; region <= 9; region++) {
        assertThat(map(rig, range(region, 0, 0x1000), file)).isZero();
      }
      assertThat(unmap(rig, range(7, 0, 0x1000))).as("refused").isEqualTo(1);
      heard.all.clear();

      rig.net().close();
      assertThat(heard.all).containsExactly("unmap 7:0+1000", "unmap 8:0+1000", "unmap 9:0+1000");
    }
  }

  private static long ask(Rig rig, BackEndRequest request, Payload payload) throws Exception {
    return result(rig.backEnd().askFrontEnd(request, payload, List.of(), true));
  }

  @Test
  void anEmbedderThatHandlesNothingRefusesAndKeepsNoDescriptor() throws Exception {
    var object = new SharedObject(new UUID(1, 2));
    try (Rig rig =
            rig(
                BackEndEvents.NONE,
                ProtocolFeature.CONFIG,
                ProtocolFeature.HOST_NOTIFIER,
                ProtocolFeature.SHARED_OBJECT,
                ProtocolFeature.SHMEM,
                ProtocolFeature.INBAND_NOTIFICATIONS);
        EventFd page = EventFd.create(rig.ledger, "page");
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      int open = rig.ledger.openCount();

      assertThat(ask(rig, BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE)).isZero();
      assertThat(ask(rig, BackEndRequest.VRING_ERR, new VringState(0, 0))).isZero();
      assertThat(result(rig.backEnd().hostNotifier(1, page.descriptor(), 0, 4096))).isEqualTo(1);
      assertThat(result(rig.backEnd().hostNotifier(1, null, 0, 4096)))
          .as("there is none to withdraw")
          .isZero();
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_ADD, object)).isEqualTo(1);
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_LOOKUP, object)).isEqualTo(1);
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_REMOVE, object)).isEqualTo(1);
      assertThat(map(rig, range(1, 0, 0x1000), page)).isEqualTo(1);
      assertThat(unmap(rig, range(1, 0, 0x1000))).isEqualTo(1);

      assertThat(rig.ledger.openCount()).isEqualTo(open);
    }
  }

  /** One that hands objects on between devices. */
  private record Objects(Map<UUID, OwnedDescriptor> known, OwnedDescriptor file)
      implements BackEndEvents {
    @Override
    public boolean sharedObjectAdded(SharedObject object) {
      return known.putIfAbsent(object.uuid(), file) == null;
    }

    @Override
    public boolean sharedObjectRemoved(SharedObject object) {
      return known.remove(object.uuid()) != null;
    }

    @Override
    public Optional<OwnedDescriptor> sharedObject(SharedObject object) {
      return Optional.ofNullable(known.get(object.uuid()));
    }
  }

  @Test
  void aSharedObjectIsFoundBetweenItsAdditionAndItsRemoval() throws Exception {
    var object = new SharedObject(new UUID(1, 2));
    DescriptorLedger own = DescriptorLedger.tracing();
    try (EventFd file = EventFd.create(own, "object");
        Rig rig =
            rig(
                new Objects(new ConcurrentHashMap<>(), file.descriptor()),
                ProtocolFeature.SHARED_OBJECT);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());

      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_LOOKUP, object)).isEqualTo(1);
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_ADD, object)).isZero();
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_ADD, object)).as("again").isEqualTo(1);
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_LOOKUP, object)).isZero();
      assertThat(file.descriptor().isOpen()).as("stays its owner's").isTrue();
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_REMOVE, object)).isZero();
      assertThat(ask(rig, BackEndRequest.SHARED_OBJECT_LOOKUP, object)).isEqualTo(1);
    }
  }

  @Test
  void aRingThatIsGivenUpInBandIsReportedToo() throws Exception {
    try (Rig rig = rig(ProtocolFeature.INBAND_NOTIFICATIONS);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      assertThat(ask(rig, BackEndRequest.VRING_ERR, new VringState(2, 0))).isZero();
      assertThat(heard.next()).isEqualTo("failed 2");
    }
  }

  /** As with an eventfd that nobody reads any more: the guest notices nothing. */
  @Test
  void anInBandKickToABackEndThatIsGoneIsNoFailureOfTheGuests() throws Exception {
    try (Rig rig = rig(ProtocolFeature.INBAND_NOTIFICATIONS)) {
      rig.driveAll();
      rig.net().start();
      rig.backEnd().close();
      Deadline deadline = Rig.soon();
      while (rig.net().connected()) {
        rig.net().kick(1);
        assertThat(deadline.expired()).isFalse();
        Thread.onSpinWait();
      }
      rig.net().kick(1);
    }
  }
}
