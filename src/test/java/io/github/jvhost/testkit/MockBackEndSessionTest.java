package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * What lives as long as a connection: everything is charged, refused, forgotten and closed
 * properly.
 */
class MockBackEndSessionTest extends MockNetworkRig {
  @Test
  void afterAReconnectEverythingStartsFromNothing() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC))) {
      try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        guest.start();
        assertThat(backEnd.isRunning()).isTrue();
      }
      assertThat(backEnd.record().await(r -> r.disconnections() == 1, TestFrontEnd.soon()))
          .isTrue();
      assertThat(backEnd.ring(0)).isEmpty();

      try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        guest.negotiate();
        assertThat(backEnd.ring(0))
            .contains(new RingView(0, 0, 0, 0, null, false, false, false, false));
        guest.startRings();
        guest.send(TestFrontEnd.frame(9, 60));
        assertThat(next()).isEqualTo(TestFrontEnd.frame(9, 60));
        assertThat(backEnd.record().connections()).isEqualTo(2);
      }
    }
  }

  @Test
  void presetupTakesTheTimeBeforeTheWindow() {
    BackEndOffer offer =
        BackEndOffer.of(Personality.VFE)
            .withQueuePairs(1)
            .withDialect(Dialect.custom("test", 40, 60));
    try (MockBackEnd backEnd =
            MockBackEnd.builder(dir.resolve("nic"), ledger)
                .offer(offer)
                .hardware(HardwareModel.rfc())
                .start();
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      backEnd.guestMemoryComplete(false);
      guest.ok(FrontEndRequest.SET_STATUS, new U64(8));
      guest.ok(FrontEndRequest.PRESETUP, new U64(1));
      for (int i = 0; i < 2; i++) {
        guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(i, TestFrontEnd.SIZE));
        guest.tellAddress(i, 0);
        guest.ok(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(i, true));
        guest.ok(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(i, true));
        guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(i, 1));
      }
      guest.ok(FrontEndRequest.PRESETUP, new U64(2));
      assertThat(backEnd.record().charges())
          .extracting(ConfigCharge::micros)
          .containsExactly(95_700L);
      assertThat(backEnd.record().guestWrites()).isZero();

      guest.wrapSoon();
      backEnd.guestMemoryComplete(true);
      guest.startRings();
      guest.ask(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE);

      assertThat(backEnd.record().charges())
          .extracting(ConfigCharge::micros)
          .containsExactly(95_700L, 3_300L);
      assertThat(backEnd.record().violations()).isEmpty();
    }
  }

  @Test
  void aStoppedRingGivesBackItsDescriptors() {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.LIBVHOST_USER));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      int open = ledger.openCount();

      guest.stop(0);

      assertThat(ledger.openCount()).isEqualTo(open - 2);
    }
  }

  @Test
  void lockedMemoryIsChargedForANewTableOnly() {
    try (MockBackEnd backEnd =
            MockBackEnd.builder(dir.resolve("nic"), ledger)
                .hardware(new HardwareModel("dear (modelled)", 0, 0, 0, 0, 256_000))
                .start();
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      guest.tellMemory();

      assertThat(backEnd.record().charges())
          .extracting(ConfigCharge::micros)
          .containsExactly(1_000L);
    }
  }

  @Test
  void whatDoesNotFitItsFileIsRefusedAndClosed() {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        DirtyLog small = DirtyLog.create(ledger, guest.memory.table())) {
      guest.negotiate();
      int open = ledger.openCount();
      MemoryTablePayload tooLarge =
          new MemoryTablePayload(List.of(new MemoryRegionPayload(0, 1 << 30, 0x1000, 0)));

      assertThat(guest.tell(FrontEndRequest.SET_MEM_TABLE, tooLarge, small.descriptor()))
          .isEqualTo(1);

      assertThat(ledger.openCount()).isEqualTo(open);
      guest.startRings();
    }
  }

  @Test
  void aKickThatIsNoEventfdCostsNothingButItsRing() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        DirtyLog file = DirtyLog.create(ledger, guest.memory.table())) {
      guest.start();
      guest.stop(1);
      guest.ok(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(1, false), file.descriptor());

      assertThat(backEnd.record().violations()).isEmpty();
      guest.offerBuffer(TestFrontEnd.BUFFER);
      peer.transmit(TestFrontEnd.frame(1, 60));
      assertThat(guest.called(0)).isTrue();
    }
  }

  @Test
  void closingWhileAFrontEndIsConnectedLeavesNothingBehind() {
    MockBackEnd backEnd = start(BackEndOffer.of(Personality.DPDK).without(ProtocolFeature.STATUS));
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      backEnd.close();
      backEnd.close();

      assertThat(backEnd.socket()).doesNotExist();
      assertThatThrownBy(() -> guest.stop(0)).isInstanceOf(VhostException.class);
    }
  }
}
