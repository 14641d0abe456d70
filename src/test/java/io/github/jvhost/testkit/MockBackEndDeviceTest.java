package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.channel.Reply;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Pipe;
import io.github.jvhost.sys.io.PipeReader;
import io.github.jvhost.sys.io.PipeWriter;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.testkit.BackEndDevice.StateFault;
import io.github.jvhost.virtio.NetFeature;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes back and forth as a descriptor, over a real socket. */
class MockBackEndDeviceTest {
  private static final NoPayload NOTHING = NoPayload.INSTANCE;

  @TempDir private Path dir;

  private int started;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void inFlightRegionsComeSealedAndSayHowFarEachRingIs() {
    try (MockBackEnd backEnd = start(ProtocolFeature.INFLIGHT_SHMFD);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      Reply reply =
          guest.exchange(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, TestFrontEnd.SIZE));
      Inflight told = (Inflight) reply.payload();
      InflightLayout layout = new InflightLayout(false, 2, TestFrontEnd.SIZE);
      try (MemoryFile file = MemoryFile.adopt(reply.descriptors().getFirst());
          Mapping regions = file.map(0, told.mmapSize())) {
        assertThat(file.sealedAgainstShrinking()).isTrue();
        assertThat(layout.isUsed(regions.segment(), 1)).isFalse();
        guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(1, TestFrontEnd.SIZE));
        guest.ok(FrontEndRequest.SET_INFLIGHT_FD, told, file.descriptor());
        guest.startRings();
        guest.send(TestFrontEnd.frame(1, 60));
        assertThat(guest.called(1)).isTrue();
        guest.stop(1);

        assertThat(layout.isUsed(regions.segment(), 1)).isTrue();
        assertThat(layout.position(regions.segment(), 1)).isEqualTo(1);
        assertThat(layout.inFlight(regions.segment(), 1)).isZero();
      }
      assertThat(backEnd.record().violations()).isEmpty();
    }
  }

  @Test
  void aPackedRingGoesOnWhereItsRegionSays() {
    BackEndOffer packed =
        offer(ProtocolFeature.INFLIGHT_SHMFD)
            .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
    InflightLayout layout = new InflightLayout(true, 2, TestFrontEnd.SIZE);
    Inflight place = new Inflight(layout.bytes(), 0, 2, TestFrontEnd.SIZE);
    try (MockBackEnd backEnd = start(packed);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        MemoryFile file = MemoryFile.create(ledger, "kept", layout.bytes());
        Mapping regions = file.map(0, layout.bytes())) {
      layout.write(regions.segment(), 0, TestFrontEnd.SIZE, 5);
      guest.negotiate();
      guest.ok(
          FrontEndRequest.SET_FEATURES,
          new U64(TestFrontEnd.FEATURES | NetFeature.RING_PACKED.mask()));
      guest.ok(FrontEndRequest.SET_INFLIGHT_FD, place, file.descriptor());
      guest.startRings();

      assertThat(guest.stop(0)).as("wrapped once, index 5").isEqualTo(0x0005_0005);
      assertThat(layout.position(regions.segment(), 0)).isEqualTo(5);
      assertThat(layout.isUsed(regions.segment(), 1)).as("begun with this start").isTrue();
    }
  }

  @Test
  void aRegionThatIsNotInItsFileCostsTheConnection() {
    InflightLayout layout = new InflightLayout(false, 2, TestFrontEnd.SIZE);
    Inflight beyond = new Inflight(layout.bytes(), 1 << 20, 2, TestFrontEnd.SIZE);
    try (MockBackEnd backEnd = start(ProtocolFeature.INFLIGHT_SHMFD);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        MemoryFile file = MemoryFile.create(ledger, "short", layout.bytes())) {
      guest.negotiate();

      assertThatThrownBy(
              () -> guest.tell(FrontEndRequest.SET_INFLIGHT_FD, beyond, file.descriptor()))
          .isInstanceOf(BackEndGoneException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 1_000_000})
  void theStateIsSavedToItsLastByte(int size) {
    byte[] state = bytes(size);
    try (MockBackEnd backEnd = start(ProtocolFeature.DEVICE_STATE);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      backEnd.device().state(state);
      guest.negotiate();

      try (PipeReader from = save(guest)) {
        assertThat(drain(from)).isEqualTo(state);
      }
      assertThat(check(guest)).isZero();
    }
  }

  @Test
  void aLoadedStateIsCompared() {
    byte[] state = bytes(200_000);
    try (MockBackEnd backEnd = start(ProtocolFeature.DEVICE_STATE);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      backEnd.device().expectState(state);
      guest.negotiate();

      load(guest, state);
      assertThat(check(guest)).isZero();
      load(guest, bytes(100));
      assertThat(check(guest)).isEqualTo(1);
      assertThat(backEnd.device().loadedState()).contains(bytes(100));
    }
  }

  @Test
  void theBackEndMayBringAPipeOfItsOwn() {
    byte[] state = bytes(1000);
    try (MockBackEnd backEnd = start(ProtocolFeature.DEVICE_STATE);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        Pipe unused = Pipe.open(ledger, "unused")) {
      backEnd.device().state(state);
      backEnd.device().ownPipe(true);
      guest.negotiate();
      Reply reply =
          guest.exchange(
              FrontEndRequest.SET_DEVICE_STATE_FD,
              new DeviceStateTransfer(Direction.SAVE),
              unused.writeEnd());

      assertThat(reply.payload()).isEqualTo(new U64(0));
      try (PipeReader from = PipeReader.adopt(reply.descriptors().getFirst())) {
        assertThat(drain(from)).isEqualTo(state);
      }
      assertThat(check(guest)).isZero();
    }
  }

  @Test
  void ringsAtGuestAddressesAreServed() {
    try (MockBackEnd backEnd = start(ProtocolFeature.GPA_ADDRESSES);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      guest.send(TestFrontEnd.frame(1, 60));

      assertThat(guest.called(1)).isTrue();
      assertThat(guest.usedIndex(1)).isEqualTo(1);
      assertThat(backEnd.record().violations()).isEmpty();
    }
  }

  @Test
  void aSaveThatEndsEarlyIsNotWell() {
    try (MockBackEnd backEnd = start(ProtocolFeature.DEVICE_STATE);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      backEnd.device().state(bytes(1000));
      backEnd.device().stateFault(StateFault.ENDS_EARLY);
      guest.negotiate();

      try (PipeReader from = save(guest)) {
        assertThat(drain(from)).hasSize(500);
      }
      assertThat(check(guest)).isEqualTo(1);
    }
  }

  @Test
  void aSaveThatStallsOrNeverEndsEndsWithTheBackEnd() {
    for (StateFault fault : new StateFault[] {StateFault.STALLS, StateFault.NEVER_ENDS}) {
      try (MockBackEnd backEnd = start(ProtocolFeature.DEVICE_STATE);
          TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        backEnd.device().state(bytes(1000));
        backEnd.device().stateFault(fault);
        guest.negotiate();

        try (PipeReader from = save(guest)) {
          ByteBuffer window = ByteBuffer.allocate(500);
          while (window.hasRemaining()) {
            assertThat(from.read(window, TestFrontEnd.soon())).as("%s", fault).isPositive();
          }
          backEnd.crash();
          drain(from);
        }
      }
    }
  }

  @Test
  void postcopyTellsWhereThePagesAreMissed() {
    try (MockBackEnd backEnd = start(ProtocolFeature.PAGEFAULT);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      Reply advised = guest.exchange(FrontEndRequest.POSTCOPY_ADVISE, NOTHING);
      assertThat(advised.descriptors()).hasSize(1);
      advised.descriptors().forEach(OwnedDescriptor::close);
      guest.ok(FrontEndRequest.POSTCOPY_LISTEN, NOTHING);
      guest.channel.postcopyListening(true);

      var region = guest.memory.table().regions().getFirst();
      Reply bases =
          guest.exchange(FrontEndRequest.SET_MEM_TABLE, guest.memoryTable(), region.file());
      guest.channel.send(
          FrontEndRequest.SET_MEM_TABLE,
          new MemoryTablePayload(List.of()),
          List.of(),
          false,
          TestFrontEnd.soon());
      assertThat(guest.ask(FrontEndRequest.POSTCOPY_END, NOTHING)).isEqualTo(new U64(0));

      var base = ((MemoryTablePayload) bases.payload()).regions().getFirst();
      assertThat(base.guestAddress()).isEqualTo(region.guestAddress());
      assertThat(base.userAddress()).isNotZero().isNotEqualTo(region.userAddress());
      assertThat(backEnd.record().violations()).isEmpty();
    }
  }

  @Test
  void sharedObjectsComeWithTheirDescriptor() {
    UUID known = new UUID(1, 2);
    try (MockBackEnd backEnd = start(ProtocolFeature.SHARED_OBJECT);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      backEnd.device().share(known, EventFd.create(ledger, "an object").descriptor());
      guest.negotiate();

      Reply there = guest.exchange(FrontEndRequest.GET_SHARED_OBJECT, new SharedObject(known));
      Reply missing =
          guest.exchange(FrontEndRequest.GET_SHARED_OBJECT, new SharedObject(new UUID(3, 4)));

      assertThat(there.descriptors()).hasSize(1);
      there.descriptors().forEach(OwnedDescriptor::close);
      assertThat(missing.descriptors()).isEmpty();
    }
  }

  @Test
  void aRingThatIsGivenUpSaysSo() {
    try (MockBackEnd backEnd = start();
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        EventFd error = EventFd.create(ledger, "ring 1 err")) {
      guest.negotiate();
      guest.ok(FrontEndRequest.SET_VRING_ERR, new VringDescriptor(1, false), error.descriptor());
      guest.startRings();

      guest.post(1, 0, 1L << 40, 100);
      guest.kicks[1].signal();

      assertThat(signalled(error)).isTrue();
      assertThat(backEnd.record().descriptors(FrontEndRequest.SET_VRING_ERR)).isEqualTo(1);
    }
  }

  @Test
  void theLogsListenerIsToldOfMarkedPages() {
    try (MockBackEnd backEnd = start();
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        EventFd logged = EventFd.create(ledger, "log")) {
      guest.negotiate();
      guest.ok(FrontEndRequest.SET_LOG_FD, NOTHING, logged.descriptor());
      guest.logEverything();
      guest.startRings();
      guest.tellAddress(1, 1);
      guest.send(TestFrontEnd.frame(1, 60));

      assertThat(signalled(logged)).isTrue();
    }
  }

  @Test
  void byteOrderIsVisible() {
    try (MockBackEnd backEnd = start(ProtocolFeature.CROSS_ENDIAN);
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      guest.ok(FrontEndRequest.SET_VRING_ENDIAN, new VringState(1, 1));

      assertThat(backEnd.isBigEndian(1)).isTrue();
      assertThat(backEnd.isBigEndian(0)).isFalse();
    }
  }

  private static boolean signalled(EventFd event) {
    try (Poller poller = new Poller(1)) {
      poller.add(event.descriptor().number(), Poller.IN);
      return poller.await(Duration.ofSeconds(10).toNanos()) > 0;
    }
  }

  private PipeReader save(TestFrontEnd guest) {
    Pipe pipe = Pipe.open(ledger, "state");
    try (OwnedDescriptor theirs = pipe.writeEnd()) {
      begin(guest, Direction.SAVE, theirs);
    }
    return PipeReader.adopt(pipe.readEnd());
  }

  private void load(TestFrontEnd guest, byte[] state) {
    Pipe pipe = Pipe.open(ledger, "state");
    try (OwnedDescriptor theirs = pipe.readEnd()) {
      begin(guest, Direction.LOAD, theirs);
    }
    try (PipeWriter to = PipeWriter.adopt(pipe.writeEnd())) {
      Deadline soon = TestFrontEnd.soon();
      for (ByteBuffer rest = ByteBuffer.wrap(state); rest.hasRemaining(); ) {
        assertThat(to.write(rest, soon)).isPositive();
      }
    }
  }

  private static void begin(TestFrontEnd guest, Direction direction, OwnedDescriptor theirs) {
    Reply reply =
        guest.exchange(
            FrontEndRequest.SET_DEVICE_STATE_FD, new DeviceStateTransfer(direction), theirs);
    assertThat(reply.payload()).isEqualTo(new U64(DeviceStateTransfer.NO_DESCRIPTOR));
  }

  private static byte[] drain(PipeReader from) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    ByteBuffer window = ByteBuffer.allocate(10_000);
    Deadline soon = TestFrontEnd.soon();
    for (int count = 1; count > 0; window.clear()) {
      count = from.read(window, soon);
      assertThat(count).as("in time").isNotZero();
      all.write(window.array(), 0, window.position());
    }
    return all.toByteArray();
  }

  private static long check(TestFrontEnd guest) {
    return ((U64) guest.ask(FrontEndRequest.CHECK_DEVICE_STATE, NOTHING)).value();
  }

  private static byte[] bytes(int size) {
    byte[] bytes = new byte[size];
    new SplittableRandom(size).nextBytes(bytes);
    return bytes;
  }

  private static BackEndOffer offer(ProtocolFeature... features) {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    for (ProtocolFeature feature : features) {
      offer = offer.with(feature);
    }
    return offer;
  }

  private MockBackEnd start(ProtocolFeature... features) {
    return start(offer(features));
  }

  private MockBackEnd start(BackEndOffer offer) {
    return MockBackEnd.builder(dir.resolve("nic" + started++), ledger).offer(offer).start();
  }
}
