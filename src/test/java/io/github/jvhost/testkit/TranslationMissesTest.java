package io.github.jvhost.testkit;

import static io.github.jvhost.testkit.ToldState.USER;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.NetFeature;
import org.junit.jupiter.api.Test;

/** What the mock back end asks for, and in which order. */
class TranslationMissesTest extends TranslationsRig {
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

  @Test
  void theNextUseOfAnInvalidatedPageAsks() {
    early();
    told.call(0);
    page(0x5000, 0x50000);
    done(new Iotlb(0x5000, 4096, 0, 0, Iotlb.INVALIDATE));

    assertThat(use(0, 0x5006, R)).isEqualTo(-1);
    assertThat(asked()).containsExactly("0: 0x5006 R");
  }
}
