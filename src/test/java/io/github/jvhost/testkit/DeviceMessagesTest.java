package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.FEATURES;
import static io.github.jvhost.testkit.ToldState.RAM;
import static io.github.jvhost.testkit.ToldState.USER;
import static io.github.jvhost.testkit.ToldState.place;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.ShmemConfig;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.Outcome.Verdict;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The messages beyond the rings, without sockets: what they answer, and what they must not do. */
class DeviceMessagesTest {
  private static final NoPayload NOTHING = NoPayload.INSTANCE;

  private final BackEndDevice device = new BackEndDevice();

  @Test
  void theConfigurationSpaceIsReadAndOnlyWhatADriverMayWriteIsWritten() {
    ToldState told = offering(ProtocolFeature.CONFIG);
    device.config(new byte[] {1, 2, 3, 4});
    device.driverMayWrite(2, 2);

    assertThat(answer(told, FrontEndRequest.GET_CONFIG, piece(1, 0, 0, 0)))
        .isEqualTo(piece(1, 0, 2, 3));
    Outcome readOnly = told.tell(FrontEndRequest.SET_CONFIG, piece(1, 0, 9, 9), 0);
    told.done(FrontEndRequest.SET_CONFIG, piece(2, 0, 8, 7), 0);
    told.done(FrontEndRequest.SET_CONFIG, piece(0, ConfigSpace.LIVE_MIGRATION, 6), 0);

    assertThat(readOnly.verdict()).isEqualTo(Verdict.FAILED);
    assertThat(device.config()).startsWith(6, 2, 8, 7, 0);
  }

  @Test
  void inFlightRegionsHaveTheSizeOfTheirRings() {
    ToldState told = offering(ProtocolFeature.INFLIGHT_SHMFD);

    Inflight split = (Inflight) answer(told, FrontEndRequest.GET_INFLIGHT_FD, rings(4, 256));
    told.features(FEATURES | NetFeature.RING_PACKED.mask());
    Inflight packed = (Inflight) answer(told, FrontEndRequest.GET_INFLIGHT_FD, rings(4, 256));

    assertThat(split).isEqualTo(new Inflight(4 * (16 + 16 * 256 + 48), 0, 4, 256));
    assertThat(packed).isEqualTo(new Inflight(4 * (32 + 32 * 256 + 32), 0, 4, 256));
    Outcome tooMany = told.tell(FrontEndRequest.GET_INFLIGHT_FD, rings(400, 256), 0);
    assertThat(tooMany.verdict()).isEqualTo(Verdict.FAILED);
    assertThat(tooMany.answer()).as("nothing to share").isEqualTo(rings(0, 0));
    assertThat(told.tell(FrontEndRequest.SET_INFLIGHT_FD, new Inflight(64, 0, 4, 256), 1).verdict())
        .as("too small")
        .isEqualTo(Verdict.FAILED);
  }

  @Test
  void theStateMovesOnlyWhileEveryRingIsStopped() {
    ToldState told = offering(ProtocolFeature.DEVICE_STATE);
    DeviceStateTransfer save = new DeviceStateTransfer(Direction.SAVE);

    assertThat(answer(told, FrontEndRequest.SET_DEVICE_STATE_FD, save, 1))
        .isEqualTo(new U64(DeviceStateTransfer.NO_DESCRIPTOR));
    told.ring(0, 0).status(0xf);
    Outcome running = told.tell(FrontEndRequest.SET_DEVICE_STATE_FD, save, 1);

    assertThat(running.answer()).as("a failure is an answer here").isEqualTo(new U64(1));
    assertThat(told.breaches()).containsExactly(Rule.STATE_WHILE_STARTED);
  }

  @Test
  void sharedThingsAreFoundOrNot() {
    ToldState told = offering(ProtocolFeature.SHARED_OBJECT, ProtocolFeature.SHMEM);
    device.sharedMemory(3, 1 << 20);
    ShmemConfig sizes = (ShmemConfig) answer(told, FrontEndRequest.GET_SHMEM_CONFIG, NOTHING);
    Outcome unknown =
        told.tell(FrontEndRequest.GET_SHARED_OBJECT, new SharedObject(new UUID(1, 2)), 0);

    assertThat(sizes.sizes().get(3)).isEqualTo(1 << 20);
    assertThat(unknown.answer()).isEqualTo(new U64(1));
  }

  @Test
  void translationsNeedAnIommu() {
    Iotlb update = new Iotlb(0x1000, 4096, USER, 3, Iotlb.UPDATE);
    ToldState without = offering(ProtocolFeature.BACKEND_REQ);
    ToldState with = offering(ProtocolFeature.BACKEND_REQ);
    with.features(FEATURES | VhostFeature.IOMMU_PLATFORM);

    with.call(0).done(FrontEndRequest.IOTLB_MSG, update, 0);
    assertThat(without.tell(FrontEndRequest.IOTLB_MSG, update, 0).verdict())
        .isEqualTo(Verdict.FAILED);
    assertThat(with.breaches()).isEmpty();
    assertThat(without.breaches()).containsExactly(Rule.NOT_NEGOTIATED);
  }

  @Test
  void byteOrderIsKeptAndNeverChangedOnAStartedRing() {
    ToldState told = offering(ProtocolFeature.CROSS_ENDIAN);

    told.done(FrontEndRequest.SET_VRING_ENDIAN, new VringState(1, 1), 0);
    assertThat(told.state.isBigEndian(1)).isTrue();
    assertThat(told.state.isBigEndian(0)).isFalse();
    assertThat(told.tell(FrontEndRequest.SET_VRING_ENDIAN, new VringState(1, 2), 0).verdict())
        .isEqualTo(Verdict.FAILED);
    told.ring(1, 0).status(0xf);
    told.done(FrontEndRequest.SET_VRING_ENDIAN, new VringState(1, 0), 0);

    assertThat(told.breaches()).containsExactly(Rule.BYTE_ORDER_WHILE_STARTED);
  }

  @Test
  void inBandNotificationsWithoutTheirChannelCostTheConnection() {
    ToldState told = new ToldState(offer(ProtocolFeature.INBAND_NOTIFICATIONS), device);

    Outcome outcome =
        told.tell(
            FrontEndRequest.SET_PROTOCOL_FEATURES,
            new U64(ProtocolFeature.INBAND_NOTIFICATIONS.mask()),
            0);

    assertThat(outcome.verdict()).isEqualTo(Verdict.HUNG_UP);
    assertThat(told.breaches()).containsExactly(Rule.FEATURE_NEEDS_ANOTHER);
  }

  @Test
  void aKickAsAMessageStartsARing() {
    ToldState told = offering(ProtocolFeature.INBAND_NOTIFICATIONS, ProtocolFeature.BACKEND_REQ);
    told.size(1).base(1, 0).address(1).call(1).enable(1, true);

    Outcome outcome = told.tell(FrontEndRequest.VRING_KICK, new VringState(1, 0), 0);
    told.status(0xf);

    assertThat(outcome.effects()).contains(new Effect.KickedInBand(1));
    assertThat(told.started(1)).isTrue();
  }

  @Test
  void theTableIsNotToldWhenSlotsWereNegotiated() {
    ToldState told = new ToldState(offer(ProtocolFeature.CONFIGURE_MEM_SLOTS), device);
    told.negotiated();

    assertThat(told.breaches()).containsExactly(Rule.TABLE_WITH_SLOTS);
  }

  @Test
  void whatMovedIsRemovedFirst() {
    ToldState told = slots(8);
    for (int i = 0; i < 8; i++) {
      told.done(FrontEndRequest.ADD_MEM_REG, slot(i, 0), 1);
    }

    assertThat(told.tell(FrontEndRequest.ADD_MEM_REG, slot(8, 0), 1).verdict())
        .as("no slot left")
        .isEqualTo(Verdict.FAILED);
    told.done(FrontEndRequest.REM_MEM_REG, slot(7, 0), 0);
    assertThat(told.tell(FrontEndRequest.ADD_MEM_REG, slot(6, 8192), 1).verdict())
        .as("its place is taken")
        .isEqualTo(Verdict.FAILED);
    told.done(FrontEndRequest.REM_MEM_REG, slot(6, 0), 1);
    told.done(FrontEndRequest.ADD_MEM_REG, slot(6, 8192), 1);
    assertThat(told.tell(FrontEndRequest.ADD_MEM_REG, slot(7, 0), 0).verdict())
        .as("without its descriptor")
        .isEqualTo(Verdict.FAILED);
    assertThat(told.tell(FrontEndRequest.REM_MEM_REG, slot(6, 0), 2).verdict())
        .as("one descriptor is tolerated, two are not")
        .isEqualTo(Verdict.FAILED);

    assertThat(told.state.memory()).hasSize(7);
    assertThat(told.breaches())
        .containsExactly(Rule.REGION_ADDED_TOO_EARLY, Rule.REGION_ADDED_TOO_EARLY);
  }

  @Test
  void thereAreUpTo512Slots() {
    ToldState told = slots(512);
    for (int i = 0; i < 512; i++) {
      told.done(FrontEndRequest.ADD_MEM_REG, slot(i, 0), 1);
    }

    assertThat(told.state.memory()).hasSize(512);
    assertThat(answer(told, FrontEndRequest.GET_MAX_MEM_SLOTS, NOTHING)).isEqualTo(new U64(512));
    assertThat(told.tell(FrontEndRequest.ADD_MEM_REG, slot(512, 0), 1).verdict())
        .isEqualTo(Verdict.FAILED);
  }

  @Test
  void guestAddressesEverywhere() {
    ToldState told = new ToldState(offer(ProtocolFeature.GPA_ADDRESSES), device);
    MemoryRegionPayload good = new MemoryRegionPayload(0, 1 << 24, 0, 0);
    told.protocol()
        .features(FEATURES)
        .done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(good)), 1)
        .size(0)
        .done(FrontEndRequest.SET_VRING_ADDR, guestPlace(), 0);
    assertThat(told.breaches()).isEmpty();

    told.done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM)), 1);
    assertThat(told.breaches()).containsExactly(Rule.NO_GUEST_ADDRESS);
    assertThat(told.tell(FrontEndRequest.SET_VRING_ADDR, place(0, 0), 0).verdict())
        .isEqualTo(Verdict.FAILED);
    assertThat(told.breaches()).containsOnly(Rule.NO_GUEST_ADDRESS).hasSize(4);
  }

  @Test
  void postcopyHasAnOrder() {
    ToldState told = offering(ProtocolFeature.PAGEFAULT);
    assertThat(told.tell(FrontEndRequest.POSTCOPY_LISTEN, NOTHING, 0).verdict())
        .isEqualTo(Verdict.FAILED);

    assertThat(told.tell(FrontEndRequest.POSTCOPY_ADVISE, NOTHING, 0).effects())
        .containsExactly(new Effect.PostcopyAdvised());
    told.done(FrontEndRequest.POSTCOPY_LISTEN, NOTHING, 0);
    Payload table = answer(told, FrontEndRequest.SET_MEM_TABLE, table(), 1);
    told.done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of()), 0);
    assertThat(told.state.memory()).as("a go-ahead is no table").containsExactly(RAM);
    assertThat(answer(told, FrontEndRequest.POSTCOPY_END, NOTHING)).isEqualTo(new U64(0));
    told.done(FrontEndRequest.SET_MEM_TABLE, table(), 1);

    assertThat(table).isEqualTo(table());
    assertThat(told.breaches()).containsExactly(Rule.POSTCOPY_ORDER);
  }

  @Test
  void aRegionThatComesDuringPostcopyIsAnsweredWithItsPlace() {
    ToldState told = slots(8);
    told.features(FEATURES);
    told.tell(FrontEndRequest.POSTCOPY_ADVISE, NOTHING, 0);
    told.done(FrontEndRequest.POSTCOPY_LISTEN, NOTHING, 0);

    assertThat(answer(told, FrontEndRequest.ADD_MEM_REG, slot(0, 0), 1)).isEqualTo(slot(0, 0));
    told.done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of()), 0);

    assertThat(told.state.memory()).hasSize(1);
    assertThat(told.breaches()).as("advised and begun with slots").hasSize(2);
  }

  @Test
  void aTableInPlaceOfTheGoAheadIsWrittenDown() {
    ToldState told = offering(ProtocolFeature.PAGEFAULT);
    told.tell(FrontEndRequest.POSTCOPY_ADVISE, NOTHING, 0);
    told.done(FrontEndRequest.POSTCOPY_LISTEN, NOTHING, 0);
    answer(told, FrontEndRequest.SET_MEM_TABLE, table(), 1);

    answer(told, FrontEndRequest.SET_MEM_TABLE, table(), 1);

    assertThat(told.breaches()).containsExactly(Rule.POSTCOPY_ORDER);
  }

  @Test
  void aResetIsTheInitialState() {
    ToldState told = offering(ProtocolFeature.RESET_DEVICE, ProtocolFeature.CROSS_ENDIAN);
    told.done(FrontEndRequest.SET_VRING_ENDIAN, new VringState(0, 1), 0);
    told.ring(0, 4).ring(1, 4).status(0xf);

    Outcome outcome = told.tell(FrontEndRequest.RESET_DEVICE, NOTHING, 0);

    assertThat(outcome.effects()).contains(new Effect.RingStopped(0), new Effect.RingStopped(1));
    assertThat(told.state.ring(0))
        .isEqualTo(new RingView(0, 0, 0, 0, null, false, false, false, false));
    assertThat(told.state.isBigEndian(0)).isFalse();
    assertThat(told.state.status()).isZero();
  }

  @Test
  void aRingCanBeStoppedWithoutDraining() {
    ToldState told =
        offering(
            ProtocolFeature.GET_VRING_BASE_SKIP_DRAIN,
            ProtocolFeature.GET_VRING_BASE_INFLIGHT,
            ProtocolFeature.INFLIGHT_SHMFD);
    told.ring(0, 0).ring(1, 0).status(0xf);

    assertThat(answer(told, FrontEndRequest.GET_VRING_BASE_SKIP_DRAIN, new VringState(1, 0)))
        .isEqualTo(new VringState(1, 0));
    assertThat(told.started(1)).isFalse();
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void enablingRingsNeedsItsFeature() {
    ToldState told = ToldState.of(Personality.GENERIC).negotiated();
    told.features(FEATURES & ~VhostFeature.PROTOCOL_FEATURES);

    told.enable(0, true);

    assertThat(told.breaches()).containsExactly(Rule.NOT_NEGOTIATED);
  }

  private ToldState slots(int count) {
    ToldState told =
        new ToldState(
            offer(ProtocolFeature.CONFIGURE_MEM_SLOTS, ProtocolFeature.PAGEFAULT)
                .withMemorySlots(count),
            device);
    return told.protocol();
  }

  private static SingleRegion slot(int i, long offset) {
    long at = 4096L * i;
    return new SingleRegion(new MemoryRegionPayload(at, 4096, USER + at, offset));
  }

  private ToldState offering(ProtocolFeature... features) {
    return new ToldState(offer(features), device).negotiated();
  }

  private static BackEndOffer offer(ProtocolFeature... features) {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC)
            .withQueuePairs(2)
            .withFeatures(
                BackEndOffer.DEFAULT_FEATURES
                    | VhostFeature.IOMMU_PLATFORM
                    | NetFeature.RING_PACKED.mask());
    for (ProtocolFeature feature : features) {
      offer = offer.with(feature);
    }
    return offer;
  }

  private static ConfigSpace piece(int offset, int flags, int... content) {
    byte[] bytes = new byte[content.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) content[i];
    }
    return new ConfigSpace(offset, flags, Bytes.copyOf(bytes));
  }

  private static Inflight rings(int queues, int size) {
    return new Inflight(0, 0, queues, size);
  }

  private static MemoryTablePayload table() {
    return new MemoryTablePayload(List.of(RAM));
  }

  private static VringAddress guestPlace() {
    return new VringAddress(0, 0, 0x10000, 0x13000, 0x12000, 0x13000);
  }

  private static Payload answer(ToldState told, FrontEndRequest request, Payload payload) {
    return answer(told, request, payload, 0);
  }

  private static Payload answer(
      ToldState told, FrontEndRequest request, Payload payload, int descriptors) {
    Outcome outcome = told.tell(request, payload, descriptors);
    assertThat(outcome.verdict())
        .as("%s %s: %s", request, payload, outcome.reason())
        .isEqualTo(Verdict.ANSWERED);
    return outcome.answer();
  }
}
