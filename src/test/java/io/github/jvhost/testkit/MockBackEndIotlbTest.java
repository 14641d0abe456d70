package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the mock back end asks for while it moves frames, and what it is told early. */
class MockBackEndIotlbTest extends MockIotlbRig {
  @Test
  void whatIsToldEarlyIsNeverAskedFor() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    buffers(0, 8);
    buffers(1, 8);
    guest.startRings();

    int lost = exchange(8);

    assertThat(lost).isZero();
    assertThat(backEnd.record().iotlb().misses()).isEmpty();
    assertThat(backEnd.record().iotlb().updates()).isEqualTo(22);
    assertThat(backEnd.record().iotlb().ignored()).isZero();
    assertThat(backEnd.translations(0)).hasSize(22).isEqualTo(backEnd.translations(1));
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @Test
  void anotherConnectionBeginsWithNothing() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    channel.theirs().close();
    guest.close();
    assertThat(backEnd.record().await(r -> r.disconnections() == 1, TestFrontEnd.soon())).isTrue();

    begin();
    negotiate();
    guest.startRings();

    assertThat(backEnd.translations(0)).isEmpty();
    assertThat(nextMiss().iova()).isEqualTo(page(TestFrontEnd.at(0)));
  }

  @Test
  void ringsThatAreToldEarlyStartAndEachBufferIsAskedForOnce() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    guest.startRings();

    int lost = exchange(8);

    IotlbCounts counts = backEnd.record().iotlb();
    assertThat(counts.misses(0)).isEqualTo(8);
    assertThat(counts.misses(1)).isEqualTo(8);
    assertThat(lost).isEqualTo(8);
    assertThat(backEnd.record().drops(FrameDrop.RX_NOT_TRANSLATED)).isEqualTo(8);
    assertThat(counts.misses().stream().filter(miss -> miss.ring() == 0))
        .as("what is received into is read and written")
        .allMatch(miss -> miss.asked().permission() == RW);
    assertThat(counts.misses().stream().filter(miss -> miss.ring() == 1))
        .allMatch(miss -> miss.asked().permission() == Access.READ.bits());
    assertThat(counts.misses()).allMatch(miss -> miss.asked().length() == 0);
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @Test
  void nothingEarlyIsSixMissesAtTheStart() throws Exception {
    connect(IotlbModel.DPDK);
    guest.startRings();
    while (!backEnd.isRunning()) {
      answer(nextMiss());
    }

    assertThat(backEnd.record().iotlb().misses(0)).isEqualTo(3);
    assertThat(backEnd.record().iotlb().misses(1)).isEqualTo(3);
    assertThat(exchange(8)).isEqualTo(8);
    assertThat(backEnd.record().iotlb().misses()).hasSize(6 + 16);
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"GENERIC", "DPDK"})
  void aChainThatWaitsForItsTranslationNeedsNoOtherKick(Personality personality) throws Exception {
    connect(IotlbModel.DPDK, personality);
    rings();
    guest.startRings();

    guest.send(TestFrontEnd.frame(1, 60));
    Iotlb miss = nextMiss();
    assertThat(backEnd.record().transmitted()).isZero();
    answer(miss);

    assertThat(next()).isEqualTo(TestFrontEnd.frame(1, 60));
    assertThat(guest.called(1)).isTrue();
  }

  @Test
  void aBufferThatMayOnlyBeWrittenNeverReceivesAFrame() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    guest.startRings();
    long buffer = 0x100000;
    told(update(guest.said.applyAsLong(buffer), PAGE, buffer, Access.WRITE.bits()));
    guest.post(0, 2, buffer, 2048);

    lose(FrameDrop.RX_NOT_TRANSLATED);
    lose(FrameDrop.RX_NOT_TRANSLATED);

    assertThat(nextMiss().permission()).isEqualTo(RW);
    assertThat(backEnd.record().iotlb().misses()).hasSize(1);
  }

  @Test
  void withoutAChannelMissesAreLostAndWhatIsToldWorks() throws Exception {
    guest.negotiate();
    rings();
    buffers(1, 1);
    guest.startRings();
    guest.send(TestFrontEnd.frame(1, 60));
    assertThat(next()).isEqualTo(TestFrontEnd.frame(1, 60));

    guest.post(0, 2, 0x100000, 2048);
    lose(FrameDrop.RX_NOT_TRANSLATED);

    assertThat(backEnd.record().notes()).singleElement().asString().contains("ring 0 lacks");
    assertThat(backEnd.record().iotlb().misses()).hasSize(1);
  }

  // The dirty log.

  @Test
  void writesAreLoggedByGuestAddress() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    buffers(0, 1);
    guest.startRings();
    try (DirtyLog log = DirtyLog.create(ledger, guest.memory.table())) {
      guest.exchange(FrontEndRequest.SET_LOG_BASE, new LogRegion(log.size(), 0), log.descriptor());
      guest.ok(FrontEndRequest.SET_FEATURES, new U64(guest.features | VhostFeature.LOG_ALL));
      guest.tellAddress(0, VringAddress.LOG);
      guest.offerBuffer(2048);
      peer.transmit(TestFrontEnd.frame(7, 100));
      assertThat(guest.called(0)).isTrue();

      DirtyBitmap dirty = new DirtyBitmap(guest.memory.table().highestAddress());
      assertThat(log.collectInto(dirty)).isEqualTo(2);
      assertThat(dirty.isMarked(0x3000)).as("used ring").isTrue();
      assertThat(dirty.isMarked(0x100000)).as("buffer").isTrue();
    }
  }

  // Answers.

  @Test
  void aTranslationIsAcknowledgedOnlyIfThatWasAskedFor() throws Exception {
    connect(IotlbModel.DPDK);
    guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(0, 8));
    told(update(IOVA, PAGE, 0, RW));
    assertThat(guest.tell(FrontEndRequest.IOTLB_MSG, update(IOVA + 8192, PAGE, 1L << 40, RW)))
        .isEqualTo(1);

    guest.channel.send(
        FrontEndRequest.IOTLB_MSG,
        new Iotlb(IOVA + 8192, PAGE, 1, RW, Iotlb.UPDATE),
        List.of(),
        false,
        TestFrontEnd.soon());

    assertThatThrownBy(() -> guest.tell(FrontEndRequest.SET_VRING_NUM, new VringState(0, 8)))
        .as("refused, and nobody asked for an acknowledgement: it has hung up")
        .isInstanceOf(VhostException.class);
  }

  @Test
  void withGuestAddressesTranslationsHaveThemToo() throws Exception {
    end();
    begin(offer(IotlbModel.DPDK, Personality.DPDK).with(ProtocolFeature.GPA_ADDRESSES));
    guest.negotiate();
    for (int ring = 0; ring < 2; ring++) {
      guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(ring, TestFrontEnd.SIZE));
    }
    for (long at : new long[] {0, 0x2000, 0x3000, 0x10000, 0x12000, 0x13000, 0x200000}) {
      told(new Iotlb(page(at), PAGE, at, RW, Iotlb.UPDATE));
    }
    guest.startRings();
    guest.send(TestFrontEnd.frame(1, 60));

    assertThat(next()).isEqualTo(TestFrontEnd.frame(1, 60));
    assertThat(backEnd.record().violations()).isEmpty();
  }
}
