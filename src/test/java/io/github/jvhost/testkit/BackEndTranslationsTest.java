package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.RAM;
import static io.github.jvhost.testkit.ToldState.USER;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.Outcome.Verdict;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the mock back end keeps of the translations that it is told, and what it forgets. */
class BackEndTranslationsTest extends TranslationsRig {
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
}
