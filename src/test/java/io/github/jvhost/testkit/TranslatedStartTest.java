package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.FEATURES;
import static io.github.jvhost.testkit.ToldState.RAM;
import static io.github.jvhost.testkit.ToldState.USER;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.testkit.RuleBreach.Rule;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How translations start the rings of the mock back end, and what they do to a base. */
class TranslatedStartTest extends TranslationsRig {
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
}
