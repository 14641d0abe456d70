package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.FEATURES;
import static io.github.jvhost.testkit.ToldState.RAM;
import static io.github.jvhost.testkit.ToldState.USER;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.Outcome.Verdict;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The mock back end's translations, without sockets: what is kept and forgotten, and what is asked
 * for. Everything is as DPDK 22.11 was seen to do it.
 *
 * <pre>
 *   ring r:  descriptors at 0x100000 x (r + 1), available ring + 0x10000, used ring + 0x20000
 *            its memory begins at user address USER + 0x80000 x (r + 1)
 * </pre>
 */
class BackEndTranslationsTest {
  private static final long IOMMU = FEATURES | VhostFeature.IOMMU_PLATFORM;
  private static final int R = Access.READ.bits();
  private static final int RW = Access.READ_WRITE.bits();

  private ToldState told = with(IotlbModel.DPDK);

  private static ToldState with(IotlbModel model) {
    return new ToldState(offer().withIotlb(model));
  }

  private static BackEndOffer offer() {
    return BackEndOffer.of(Personality.DPDK)
        .withQueuePairs(2)
        .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
  }

  // Where translations live.

  @Test
  void aTranslationGoesIntoEveryRingThatExists() {
    early();
    told.call(1); // and with it ring 0
    page(0x5000, 0x50000);
    told.call(2);

    assertThat(at(0, 0x5000)).isEqualTo(USER + 0x50000);
    assertThat(at(1, 0x5000)).isEqualTo(USER + 0x50000);
    assertThat(at(2, 0x5000)).as("the ring came later").isEqualTo(-1);
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void aTranslationBeforeAnyRingIsAcknowledgedAndLost() {
    early();
    Outcome outcome = told.tell(FrontEndRequest.IOTLB_MSG, update(0x5000, 4096, USER, RW), 0);
    told.call(0);

    assertThat(outcome.verdict()).isEqualTo(Verdict.DONE);
    assertThat(outcome.effects())
        .contains(new Effect.TranslationTold(update(0x5000, 4096, USER, RW), false));
    assertThat(at(0, 0x5000)).isEqualTo(-1);
    assertThat(told.breaches()).containsExactly(Rule.TRANSLATION_BEFORE_RINGS);
  }

  @Test
  void aStoppedRingForgetsItsOwn() {
    startEarly();
    page(0x5000, 0x50000);
    told.stop(0);

    assertThat(at(0, 0x5000)).isEqualTo(-1);
    assertThat(at(1, 0x5000)).isEqualTo(USER + 0x50000);
  }

  @Test
  void aFullRingForgetsTheOldestAndRunsOn() {
    told = with(IotlbModel.DPDK.withEntries(8));
    startEarly();
    for (int i = 0; i < 9; i++) {
      page(0x5000 + 0x2000L * i, 0x50000);
    }

    RingIotlb ring = told.state.model(0).iotlb;
    assertThat(ring.at(0x5000)).as("the oldest page").isNull();
    assertThat(ring.at(0x7000)).isNotNull();
    assertThat(ring.at(0x100000)).as("its own descriptors").isNull();
    assertThat(told.started(0)).as("a ring that is mapped does not mind").isTrue();
  }

  // What a translation may precede, and what forgets it.

  @Test
  void aTranslationBeforeTheMemoryTableIsRefused() {
    told.protocol().features(IOMMU).call(0);

    assertThat(told.tell(FrontEndRequest.IOTLB_MSG, update(0x5000, 4096, USER, RW), 0).verdict())
        .isEqualTo(Verdict.FAILED);
  }

  @Test
  void whatIsToldBeforeTheRingsIsKeptUntilTheyRun() {
    early();
    told.call(1).call(0);
    areas(0);
    areas(1);
    page(0x5000, 0x50000);
    for (int ring = 0; ring < 2; ring++) {
      told.size(ring);
      address(ring, 0);
      told.base(ring, 0).kick(ring).enable(ring, true);
    }
    told.status(0xf);

    assertThat(asked()).isEmpty();
    assertThat(told.started(0)).isTrue();
    assertThat(told.started(1)).isTrue();
    assertThat(at(0, 0x5000)).isEqualTo(USER + 0x50000);
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void theSameTableKeepsAndAnotherOneDrops() {
    startEarly();
    table(RAM);
    assertThat(asked()).isEmpty();

    table(RAM, new MemoryRegionPayload(1L << 32, 1 << 20, USER + (1L << 32), 0));

    assertThat(asked()).containsExactly("0: 0x100000 RW", "1: 0x200000 RW");
    assertThat(told.started(0)).isFalse();
    areas(0);
    areas(1);
    assertThat(told.started(0)).isTrue();
    assertThat(told.started(1)).isTrue();
  }

  @Test
  void aRegionThatGoesTakesTranslationsOfOtherMemory() {
    told =
        new ToldState(offer().with(ProtocolFeature.CONFIGURE_MEM_SLOTS).withIotlb(IotlbModel.DPDK));
    MemoryRegionPayload more = new MemoryRegionPayload(0x4000000, 1 << 20, USER + (1L << 32), 0);
    told.protocol()
        .features(IOMMU)
        .done(FrontEndRequest.ADD_MEM_REG, new SingleRegion(RAM), 1)
        .done(FrontEndRequest.ADD_MEM_REG, new SingleRegion(more), 1)
        .call(0);
    page(0x4001000, 0x50000);
    done(update(0x7000, 4096, USER + (1L << 32), RW));
    told.done(FrontEndRequest.REM_MEM_REG, new SingleRegion(more), 0);

    assertThat(at(0, 0x4001000)).as("its address looks like the region's").isEqualTo(-1);
    assertThat(at(0, 0x7000)).as("points nowhere").isEqualTo(USER + (1L << 32));
    assertThat(told.breaches()).containsExactly(Rule.TRANSLATION_INTO_REMOVED_REGION);
  }

  @Test
  void anAddedRegionDropsAllToo() {
    told =
        new ToldState(offer().with(ProtocolFeature.CONFIGURE_MEM_SLOTS).withIotlb(IotlbModel.DPDK));
    told.protocol()
        .features(IOMMU)
        .done(FrontEndRequest.ADD_MEM_REG, new SingleRegion(RAM), 1)
        .call(0);
    page(0x5000, 0x50000);
    told.done(
        FrontEndRequest.ADD_MEM_REG,
        new SingleRegion(new MemoryRegionPayload(1L << 32, 4096, USER + (1L << 32), 0)),
        1);

    assertThat(at(0, 0x5000)).isEqualTo(-1);
  }

  @Test
  void featuresAndStatusForgetNothing() {
    startEarly();
    page(0x5000, 0x50000);
    told.features(IOMMU).features(IOMMU | VhostFeature.LOG_ALL).status(8).status(0xf);

    assertThat(at(0, 0x5000)).isEqualTo(USER + 0x50000);
    assertThat(asked()).isEmpty();
  }

  @Test
  void featuresWithoutQueuesTakeTheRingsWithTheirTranslations() {
    early();
    told.call(3);
    page(0x5000, 0x50000);
    told.features(IOMMU & ~NetFeature.MQ.mask());
    done(update(0x5000, 4096, USER + 0x50000, RW));
    told.features(IOMMU).call(3);

    assertThat(at(0, 0x5000)).isEqualTo(USER + 0x50000);
    assertThat(at(2, 0x5000)).isEqualTo(-1);
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void aStoppedRingKeepsWhatComesAfterItsStop() {
    startEarly();
    assertThat(told.stop(0)).isZero();
    told.stop(1);
    told.status(0);
    areas(0);
    areas(1);
    for (int ring = 0; ring < 2; ring++) {
      told.size(ring);
      address(ring, 0);
      told.call(ring).kick(ring).base(ring, 9).enable(ring, true);
    }
    told.status(0xf);

    assertThat(asked()).isEmpty();
    assertThat(told.started(0)).isTrue();
    assertThat(told.baseOf(0)).isEqualTo(9);
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void largeTranslationsAreOneEntryEach() {
    early();
    told.call(0);
    done(update(0x10000000, 1 << 23, USER, RW));
    done(update(0x20000000, 1 << 22, USER, RW));

    assertThat(at(0, 0x10000000 + (1 << 23) - 1)).isEqualTo(USER + (1 << 23) - 1);
    assertThat(at(0, 0x20000000 + (1 << 22) - 1)).isEqualTo(USER + (1 << 22) - 1);
  }

  @Test
  void aTranslationIsCutAtTheEndOfItsRegion() {
    early();
    told.call(0);
    done(update(0x5000, 0x4000, USER + RAM.size() - 0x1000, RW));

    assertThat(at(0, 0x5fff)).isEqualTo(USER + RAM.size() - 1);
    assertThat(at(0, 0x6000)).isEqualTo(-1);
  }

  @Test
  void whatIsOutsideOfMemoryIsRefusedAndSoAreOtherTypes() {
    early();
    told.call(0);

    for (Iotlb wrong :
        List.of(
            update(0x5000, 4096, USER + RAM.size(), RW),
            new Iotlb(0x5000, 4096, USER, RW, Iotlb.MISS),
            new Iotlb(0x5000, 4096, USER, RW, Iotlb.ACCESS_FAIL))) {
      assertThat(told.tell(FrontEndRequest.IOTLB_MSG, wrong, 0).verdict())
          .isEqualTo(Verdict.FAILED);
    }
    assertThat(at(0, 0x5000)).isEqualTo(-1);
  }

  @Test
  void aTranslationOfNothingBlocksItsAddress() {
    for (Iotlb nothing : List.of(update(0x5000, 0, USER, RW), update(0x5000, 4096, USER, 0))) {
      told = with(IotlbModel.DPDK);
      early();
      told.call(0);
      done(nothing);
      told.missed.clear();
      assertThat(use(0, 0x5000, R)).isEqualTo(-1);
      done(update(0x5000, 4096, USER + 0x50000, RW));
      assertThat(use(0, 0x5000, R)).as("acknowledged and ignored").isEqualTo(-1);
      assertThat(asked()).as("asked again each time").containsExactly("0: 0x5000 R", "0: 0x5000 R");

      done(new Iotlb(0x5000, 4096, 0, 0, Iotlb.INVALIDATE));
      done(update(0x5000, 4096, USER + 0x50000, RW));
      assertThat(told.breaches()).contains(Rule.TRANSLATION_NOT_INVALIDATED);
      // An entry without bytes touches no range, but it begins right behind this one.
      if (nothing.length() == 0) {
        done(new Iotlb(0x4000, 4096, 0, 0, Iotlb.INVALIDATE));
        done(update(0x5000, 4096, USER + 0x50000, RW));
      }
      assertThat(use(0, 0x5000, R)).isEqualTo(USER + 0x50000);
    }
  }

  @Test
  void anotherTranslationOfTheSameAddressIsIgnored() {
    early();
    told.call(0);
    page(0x5000, 0x50000);
    Iotlb other = update(0x5000, 4096, USER + 0x60000, RW);
    Outcome outcome = told.tell(FrontEndRequest.IOTLB_MSG, other, 0);

    assertThat(outcome.verdict()).isEqualTo(Verdict.DONE);
    assertThat(outcome.effects()).contains(new Effect.TranslationTold(other, false));
    assertThat(at(0, 0x5000)).as("the old page").isEqualTo(USER + 0x50000);
    assertThat(told.breaches()).containsExactly(Rule.TRANSLATION_NOT_INVALIDATED);
  }

  @Test
  void theSameTranslationAgainIsNoFault() {
    early();
    told.call(0);
    page(0x5000, 0x50000);
    page(0x5000, 0x50000);

    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void overlappingTranslationsBothStay() {
    early();
    told.call(0);
    done(update(0x4000, 0x4000, USER + 0x50000, RW));
    done(update(0x5000, 0x4000, USER + 0x51000, RW));

    assertThat(at(0, 0x5000)).isEqualTo(USER + 0x51000);
    assertThat(at(0, 0x8fff)).isEqualTo(USER + 0x54fff);
  }

  @Test
  void aRingWithoutAnAddressLiesAtAddressZero() {
    early();
    told.usedInMemory[0] = 77;
    told.call(0).enable(0, true).base(0, 5).size(0);
    done(update(0, 0x10000, USER, RW));
    assertThat(told.baseOf(0)).as("read from address 0").isEqualTo(77);

    areas(0);
    told.usedInMemory[0] = 5;
    address(0, 0);
    told.base(0, 5);
    assertThat(told.baseOf(0)).isEqualTo(5);
    assertThat(told.state.ring(0).address()).isEqualTo(place(0, 0));
  }

  @Test
  void theTranslationOfARingsAreaOverwritesItsBase() {
    early();
    told.usedInMemory[0] = 100;
    told.call(0).size(0);
    address(0, 0);
    told.base(0, 70);
    areas(0);
    assertThat(told.baseOf(0)).isEqualTo(100);

    told.base(0, 70);
    areas(0);
    assertThat(told.baseOf(0)).as("the ring has its place already").isEqualTo(70);
  }

  @Test
  void theDeviceBecomesReadyWithTheLastTranslation() {
    early();
    for (int ring = 0; ring < 2; ring++) {
      told.call(ring).size(ring).base(ring, 0).enable(ring, true);
      address(ring, 0);
      told.kick(ring);
    }
    told.status(0xf);
    areas(0);
    assertThat(told.started(0)).isFalse();
    areas(1);

    assertThat(told.started(0)).isTrue();
    assertThat(told.started(1)).isTrue();
  }

  // Misses.

  @Test
  void theAreasAreAskedForOneAfterTheOther() {
    early();
    told.call(0).done(FrontEndRequest.SET_VRING_NUM, new VringState(0, 512), 0);
    address(0, 0);
    assertThat(asked()).as("not enabled, not kicked").isEmpty();

    told.kick(0);
    for (int i = 0; i < 5; i++) {
      assertThat(asked()).hasSize(i + 1);
      long missing = told.missed.getLast().miss().iova();
      page(missing, missing / 2);
    }

    assertThat(asked())
        .containsExactly(
            "0: 0x100000 RW",
            "0: 0x101000 RW",
            "0: 0x110000 RW",
            "0: 0x120000 RW",
            "0: 0x121000 RW");
    told.base(0, 0).enable(0, true).status(0xf);
    assertThat(told.state.model(0).mapped).isNotNull();
  }

  @Test
  void anEnabledRingIsAskedForAtItsAddress() {
    early();
    told.call(0).enable(0, true).size(0);
    address(0, 0);

    assertThat(asked()).containsExactly("0: 0x100000 RW");
  }

  @Test
  void aPackedRingsAreasAreAskedForInTheSameWay() {
    early();
    told.features(IOMMU | NetFeature.RING_PACKED.mask()).call(0).enable(0, true).size(0);
    address(0, 0);
    for (long at : new long[] {0x100000, 0x110000, 0x120000}) {
      page(at, at);
    }

    assertThat(asked()).containsExactly("0: 0x100000 RW", "0: 0x110000 RW", "0: 0x120000 RW");
    assertThat(told.state.model(0).mapped).isNotNull();
  }

  @Test
  void theLogsAddressComesFirst() {
    early();
    told.call(0).enable(0, true).size(0);
    told.done(
        FrontEndRequest.SET_VRING_ADDR,
        new VringAddress(0, VringAddress.LOG, 0x100000, 0x120000, 0x110000, 0x120000),
        0);

    assertThat(asked()).containsExactly("0: 0x120000 RW");
    areas(0);
    assertThat(told.state.model(0).mapped)
        .isEqualTo(
            new VringAddress(
                0, VringAddress.LOG, USER + 0x80000, USER + 0xa0000, USER + 0x90000, 0xa0000));
  }

  @Test
  void aGuestAddressIsNoLogAddress() {
    early();
    told.call(0).enable(0, true).size(0);
    areas(0);
    told.done(
        FrontEndRequest.SET_VRING_ADDR,
        new VringAddress(0, VringAddress.LOG, 0x100000, 0x120000, 0x110000, 0x90000),
        0);

    assertThat(asked()).containsExactly("0: 0x90000 RW");
    assertThat(told.state.model(0).mapped).isNull();
  }

  @Test
  void areasThatMayOnlyBeReadNeverMakeARing() {
    early();
    told.call(0).enable(0, true).size(0);
    done(update(0x100000, 4096, USER + 0x80000, R));
    done(update(0x110000, 4096, USER + 0x88000, R));
    done(update(0x120000, 0x2000, USER + 0x90000, RW));
    address(0, 0);

    assertThat(asked()).containsExactly("0: 0x100000 RW");
    assertThat(told.state.model(0).mapped).isNull();
  }

  @Test
  void aMissIsAskedOnceUntilSomethingEndsIt() {
    early();
    told.call(1).size(0);
    assertThat(use(0, 0x5006, R)).isEqualTo(-1);
    use(0, 0x5006, R);
    assertThat(asked()).containsExactly("0: 0x5006 R");
    use(0, 0x5006, RW);
    use(1, 0x5006, R);
    use(0, 0x5806, R);
    assertThat(asked()).as("another access, ring or address").hasSize(4);
    told.missed.clear();

    done(new Iotlb(0x5000, 4096, 0, 0, Iotlb.INVALIDATE));
    use(0, 0x5006, R);
    assertThat(asked()).as("an invalidation does not end it").isEmpty();

    done(update(0x5000, 4096, USER + 0x50000, R));
    assertThat(use(0, 0x5006, RW)).isEqualTo(-1);
    assertThat(asked()).as("nor does a translation that permits too little").isEmpty();
    done(new Iotlb(0x5000, 4096, 0, 0, Iotlb.INVALIDATE));
    use(0, 0x5006, R);
    assertThat(asked()).as("one that fits does").containsExactly("0: 0x5006 R");
    told.missed.clear();

    told.stop(0);
    use(0, 0x5006, R);
    use(1, 0x5006, R);
    assertThat(asked())
        .as("so does a stop, for its ring")
        .containsExactly("0: 0x5006 R", "1: 0x5006 R");
    told.missed.clear();

    table(new MemoryRegionPayload(0, 1 << 20, USER, 0));
    use(0, 0x5006, R);
    use(1, 0x5006, R);
    assertThat(asked()).as("and another table").containsExactly("0: 0x5006 R", "1: 0x5006 R");
  }

  @Test
  void moreMissesThanThereIsRoomForAreAskedAgain() {
    told = with(IotlbModel.DPDK.withEntries(4));
    early();
    told.call(0);
    for (int i = 0; i < 5; i++) {
      use(0, 0x1000L * i, R);
    }
    use(0, 0, R);

    assertThat(asked()).hasSize(6);
  }

  // Invalidations.

  @Test
  void whatTouchesTheRangeGoesAsAWholeAndSoDoesItsNeighbour() {
    early();
    told.call(0);
    done(update(0x100000, 0x400000, USER, RW));
    page(0x500000, 0x50000);
    page(0x602000, 0x60000);
    page(0x700000, 0x70000);
    page(0x701000, 0x71000);
    done(new Iotlb(0x200000, 4096, 0, 0, Iotlb.INVALIDATE));
    done(new Iotlb(0x700000, 4096, 0, 0, Iotlb.INVALIDATE));

    assertThat(at(0, 0x100000)).as("one page of it").isEqualTo(-1);
    assertThat(at(0, 0x500000)).as("begins at its end, not at the range's").isPositive();
    assertThat(at(0, 0x602000)).isPositive();
    assertThat(at(0, 0x700000)).isEqualTo(-1);
    assertThat(at(0, 0x701000)).as("begins right behind the range").isEqualTo(-1);
  }

  @Test
  void everythingGoesWithOneMessageAndNothingWithARangeThatWraps() {
    early();
    told.call(0);
    page(0x5000, 0x50000);
    page(0xfffff000L, 0x60000);

    done(new Iotlb(0x1000, -1, 0, 0, Iotlb.INVALIDATE));
    assertThat(at(0, 0x5000)).isPositive();
    assertThat(told.breaches()).containsExactly(Rule.INVALIDATION_WRAPS);

    done(new Iotlb(0, -1, 0, 0, Iotlb.INVALIDATE));
    assertThat(at(0, 0x5000)).isEqualTo(-1);
    assertThat(at(0, 0xfffff000L)).isEqualTo(-1);
    assertThat(told.breaches()).hasSize(1);
  }

  @Test
  void theNextUseOfAnInvalidatedPageAsks() {
    early();
    told.call(0);
    page(0x5000, 0x50000);
    done(new Iotlb(0x5000, 4096, 0, 0, Iotlb.INVALIDATE));

    assertThat(use(0, 0x5006, R)).isEqualTo(-1);
    assertThat(asked()).containsExactly("0: 0x5006 R");
  }

  @Test
  void aReceiveRingThatLostItsPlaceIsDeadUntilItIsTold() {
    startEarly();
    told.usedInMemory[0] = 3;
    told.usedInMemory[1] = 4;
    told.state.model(0).base = 3;
    told.state.model(0).nextUsed = 3;
    done(new Iotlb(0, -1, 0, 0, Iotlb.INVALIDATE));

    assertThat(told.started(0)).isFalse();
    assertThat(told.started(1)).isFalse();
    assertThat(asked()).as("only the transmit ring asks").containsExactly("1: 0x200000 RW");
    areas(1);
    assertThat(told.started(1)).isTrue();
    assertThat(told.started(0)).as("for ever").isFalse();

    areas(0);
    assertThat(told.started(0)).isTrue();
    assertThat(told.baseOf(0)).isEqualTo(3);
    assertThat(told.breaches()).isEmpty();
  }

  // The order of a start.

  @Test
  void thePositionThatIsToldAfterTheTranslationsIsTheOneThatCounts() {
    early();
    told.usedInMemory[0] = 100;
    told.call(1).call(0).size(0).size(1);
    for (int ring = 0; ring < 2; ring++) {
      address(ring, 0);
      told.kick(ring).enable(ring, true);
      areas(ring);
    }
    assertThat(asked()).as("by the kicks").hasSize(2);
    told.missed.clear();

    told.base(0, 90).base(1, 0).status(0xf);

    assertThat(asked()).isEmpty();
    assertThat(told.started(0)).isTrue();
    assertThat(told.baseOf(0)).isEqualTo(90);
  }

  @Test
  void theAddressesMayComeInTheWindowToo() {
    early();
    told.call(1).call(0).size(0).size(1);
    areas(0);
    areas(1);
    for (int ring = 0; ring < 2; ring++) {
      told.base(ring, 0);
      address(ring, 0);
      told.kick(ring).enable(ring, true);
    }
    told.status(0xf);

    assertThat(asked()).isEmpty();
    assertThat(told.started(0)).isTrue();
  }

  @Test
  void addressesBeforeTheFeatureWereUserAddresses() {
    told.protocol()
        .features(FEATURES)
        .done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM)), 1)
        .size(0)
        .address(0)
        .features(IOMMU);

    assertThat(told.breaches()).containsExactly(Rule.RING_BEFORE_IOMMU);
  }

  // In short words.

  private void early() {
    told.protocol().features(IOMMU).status(8);
    table(RAM);
  }

  /** Both rings of a pair, told with all that they need before they are kicked. */
  private void startEarly() {
    early();
    told.call(1).call(0);
    for (int ring = 0; ring < 2; ring++) {
      areas(ring);
      told.size(ring);
      address(ring, 0);
      told.base(ring, 0).kick(ring).enable(ring, true);
    }
    told.status(0xf);
    assertThat(told.started(0)).isTrue();
    assertThat(asked()).isEmpty();
  }

  private static VringAddress place(int ring, int flags) {
    long at = 0x100000L * (ring + 1);
    return new VringAddress(ring, flags, at, at + 0x20000, at + 0x10000, at + 0x20000);
  }

  private void address(int ring, int flags) {
    told.done(FrontEndRequest.SET_VRING_ADDR, place(ring, flags), 0);
  }

  private void areas(int ring) {
    long at = 0x100000L * (ring + 1);
    done(update(at, 0x30000, USER + at / 2, RW));
  }

  private void page(long iova, long guestAddress) {
    done(update(iova, 4096, USER + guestAddress, RW));
  }

  private static Iotlb update(long iova, long length, long userAddress, int permission) {
    return new Iotlb(iova, length, userAddress, permission, Iotlb.UPDATE);
  }

  private void table(MemoryRegionPayload... regions) {
    told.done(
        FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(regions)), regions.length);
  }

  private void done(Iotlb message) {
    told.done(FrontEndRequest.IOTLB_MSG, message, 0);
  }

  /** What was asked for: ring, address, access. */
  private List<String> asked() {
    return told.missed.stream()
        .map(missed ->
            "%d: 0x%x %s"
                .formatted(
                    missed.ring(),
                    missed.miss().iova(),
                    missed.miss().permission() == R ? "R" : "RW"))
        .toList();
  }

  /** Looks a byte up as the packet path does; -1 if it is missing, which may be asked for. */
  private long use(int ring, long iova, int permission) {
    var found =
        told.state
            .model(ring)
            .iotlb
            .find(
                iova,
                1,
                Access.of(permission),
                miss -> told.missed.add(new Effect.TranslationMissed(ring, miss)));
    return found.isEmpty() ? -1 : found.getFirst().userAddress();
  }

  /** The user address behind an address; -1 if none is known. */
  private long at(int ring, long iova) {
    return told.state.model(ring).iotlb.find(iova, 1, Access.READ, _ -> {}).stream()
        .findFirst()
        .map(RingIotlb.Piece::userAddress)
        .orElse(-1L);
  }
}
