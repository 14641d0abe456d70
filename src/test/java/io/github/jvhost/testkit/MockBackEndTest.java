package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.virtio.MacAddress;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The mock back end's packet path: a guest's queue pair in real shared memory, told over a real
 * socket.
 */
class MockBackEndTest extends MockNetworkRig {
  @ParameterizedTest
  @EnumSource(Personality.class)
  void framesOfTheGuestReachTheSwitchInOrder(Personality personality) throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(personality));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();

      for (int i = 0; i < 20; i++) {
        guest.send(TestFrontEnd.frame(i, 60));
        assertThat(next()).isEqualTo(TestFrontEnd.frame(i, 60));
        assertThat(guest.called(1)).isTrue();
      }

      assertThat(guest.usedIndex(1)).isEqualTo(20);
      assertThat(guest.stop(1)).isEqualTo(20);
      assertThat(backEnd.record().violations()).isEmpty();
      assertThat(backEnd.record().transmitted()).isEqualTo(20);
    }
  }

  @Test
  void framesForTheGuestCarryAHeaderAndOneBuffer() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      guest.offerBuffer(TestFrontEnd.BUFFER);

      peer.transmit(TestFrontEnd.frame(7, 100));

      assertThat(guest.called(0)).isTrue();
      assertThat(guest.usedIndex(0)).isEqualTo(1);
      assertThat(guest.usedLength(0, 0)).isEqualTo(112);
      assertThat(guest.received(0, 0, 12)).containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0);
      assertThat(guest.received(0, 12, 100)).isEqualTo(TestFrontEnd.frame(7, 100));
      assertThat(guest.stop(0)).isEqualTo(1);
    }
  }

  @Test
  void aLargeFrameIsSpreadOverMergedBuffers() {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      for (int i = 0; i < 3; i++) {
        guest.offerBuffer(512);
      }

      peer.transmit(TestFrontEnd.frame(7, 1000));

      assertThat(guest.called(0)).isTrue();
      assertThat(guest.usedIndex(0)).isEqualTo(2);
      assertThat(guest.received(0, 10, 2)).containsExactly(2, 0);
      assertThat(guest.usedLength(0, 0)).isEqualTo(512);
      assertThat(guest.usedLength(0, 1)).isEqualTo(500);
      assertThat(guest.received(1, 0, 500))
          .isEqualTo(Arrays.copyOfRange(TestFrontEnd.frame(7, 1000), 500, 1000));
    }
  }

  @Test
  void aFrameThatFindsNoBufferIsDroppedAndCounted() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      guest.offerBuffer(64);

      peer.transmit(TestFrontEnd.frame(7, 1000));

      assertThat(
              backEnd
                  .record()
                  .await(r -> r.drops(FrameDrop.RX_NO_BUFFERS) == 1, TestFrontEnd.soon()))
          .isTrue();
      assertThat(guest.usedIndex(0)).isZero();
      assertThat(backEnd.record().guestWrites()).isZero();
    }
  }

  @Test
  void nothingIsDeliveredBeforeTheRingsStartOrWhileTheyAreDisabled() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      peer.transmit(TestFrontEnd.frame(1, 60));
      assertThat(
              backEnd.record().await(r -> r.drops(FrameDrop.RX_STOPPED) == 1, TestFrontEnd.soon()))
          .isTrue();

      guest.startRings();
      guest.offerBuffer(TestFrontEnd.BUFFER);
      guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(0, 0));
      guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(1, 0));
      peer.transmit(TestFrontEnd.frame(2, 60));
      guest.send(TestFrontEnd.frame(3, 60));

      assertThat(guest.called(1)).as("a disabled TX ring is consumed").isTrue();
      assertThat(
              backEnd
                  .record()
                  .await(
                      r ->
                          r.drops(FrameDrop.RX_DISABLED) == 1
                              && r.drops(FrameDrop.TX_DISABLED) == 1,
                      TestFrontEnd.soon()))
          .isTrue();
      assertThat(arrived).isEmpty();
      assertThat(guest.usedIndex(0)).isZero();
    }
  }

  @Test
  void aGuestThatPollsIsNotCalled() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.noInterrupt(1);
      guest.start();

      guest.send(TestFrontEnd.frame(1, 60));
      next();
      // The answer comes after everything that was taken before it.
      guest.stop(1);

      assertThat(guest.usedIndex(1)).isEqualTo(1);
      assertThat(guest.calls[1].drain()).isZero();
    }
  }

  @Test
  void anIndexWrapsAround() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.wrapSoon();
      guest.start();

      for (int i = 0; i < 4; i++) {
        guest.send(TestFrontEnd.frame(i, 60));
        assertThat(next()).isEqualTo(TestFrontEnd.frame(i, 60));
        assertThat(guest.called(1)).isTrue();
      }

      assertThat(guest.usedIndex(1)).isEqualTo(2);
      assertThat(guest.stop(1)).isEqualTo(2);
    }
  }

  @Test
  void nonsenseInARingStopsThatRingOnly() throws InterruptedException {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      guest.post(1, 0, 1L << 40, 60);
      guest.kicks[1].signal();

      assertThat(backEnd.record().await(r -> !r.notes().isEmpty(), TestFrontEnd.soon())).isTrue();
      assertThat(backEnd.record().notes().getFirst()).contains("ring 1", "outside of guest memory");
      guest.offerBuffer(TestFrontEnd.BUFFER);
      peer.transmit(TestFrontEnd.frame(1, 60));
      assertThat(guest.called(0)).isTrue();
    }
  }

  @Test
  void chainsWithoutAnEndAndIndirectOnesAreGivenUp() throws InterruptedException {
    for (int flags :
        new int[] {1 /* NEXT, to itself */, 4 /* INDIRECT */, 2 /* WRITE in a TX ring */}) {
      String name = "nic" + flags;
      try (MockBackEnd backEnd =
              MockBackEnd.builder(dir.resolve(name), ledger)
                  .offer(BackEndOffer.of(Personality.DPDK))
                  .start();
          TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        guest.start();
        guest.post(1, flags, TestFrontEnd.buffer(1, 0), 60);
        guest.kicks[1].signal();

        assertThat(backEnd.record().await(r -> !r.notes().isEmpty(), TestFrontEnd.soon())).isTrue();
        assertThat(guest.usedIndex(1)).isZero();
        assertThat(guest.stop(1)).isZero();
      }
    }
  }

  @Test
  void writesAreLoggedAsTheyWereAskedFor() {
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger);
        DirtyLog log = DirtyLog.create(ledger, guest.memory.table())) {
      guest.start();
      guest.channel.send(
          FrontEndRequest.SET_LOG_BASE,
          new LogRegion(log.size(), 0),
          List.of(log.descriptor()),
          false,
          TestFrontEnd.soon());
      guest.channel.awaitReply(TestFrontEnd.soon());
      DirtyBitmap dirty = new DirtyBitmap(guest.memory.table().highestAddress());

      deliver(guest);
      assertThat(log.collectInto(dirty)).as("logging is off").isZero();

      guest.ok(FrontEndRequest.SET_FEATURES, new U64(TestFrontEnd.FEATURES | VhostFeature.LOG_ALL));
      deliver(guest);
      assertThat(log.collectInto(dirty)).as("data only").isEqualTo(1);
      assertThat(dirty.isMarked(TestFrontEnd.buffer(0, 1))).isTrue();

      guest.tellAddress(0, VringAddress.LOG);
      deliver(guest);
      assertThat(log.collectInto(dirty)).as("data and used ring").isEqualTo(2);
      assertThat(dirty.isMarked(TestFrontEnd.at(0) + 0x3000)).isTrue();
      assertThat(backEnd.record().violations()).isEmpty();
    }
  }

  private void deliver(TestFrontEnd guest) {
    guest.offerBuffer(TestFrontEnd.BUFFER);
    peer.transmit(TestFrontEnd.frame(1, 60));
    assertThat(guest.called(0)).isTrue();
    // A question comes after everything that was done before it.
    guest.ask(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE);
  }

  @Test
  void aStationIsAnnounced() throws InterruptedException {
    MacAddress mac = MacAddress.parse("52:54:00:12:34:56");
    try (MockBackEnd backEnd = start(BackEndOffer.of(Personality.GENERIC));
        TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();

      guest.ok(FrontEndRequest.SEND_RARP, U64.ofMac(new byte[] {0x52, 0x54, 0, 0x12, 0x34, 0x56}));

      byte[] frame = next();
      assertThat(frame).hasSize(60);
      assertThat(Packet.parse(frame)).contains(new Packet.Rarp(mac));
    }
  }
}
