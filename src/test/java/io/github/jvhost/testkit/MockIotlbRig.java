package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.BackEndChannel;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * Test aid: the mock back end's packet path behind an IOMMU. The guest's driver says I/O virtual
 * addresses: every second page of a range of their own, so that no two of its pages adjoin.
 */
abstract class MockIotlbRig extends MockNetworkRig {
  static final long IOVA = 0x4000_0000L;
  static final int PAGE = 4096;
  static final int RW = Access.READ_WRITE.bits();

  final Queue<Iotlb> misses = new ArrayDeque<>();
  long received;

  @SuppressWarnings("NullAway.Init") // begin() sets it
  MockBackEnd backEnd;

  @SuppressWarnings("NullAway.Init") // begin() sets it
  TestFrontEnd guest;

  @SuppressWarnings("NullAway.Init") // begin() sets it
  BackEndChannel.Opened channel;

  @BeforeEach
  void beginAtDpdk() {
    begin(offer(IotlbModel.DPDK, Personality.DPDK));
  }

  @AfterEach
  void end() {
    channel.channel().close();
    channel.theirs().close();
    guest.close();
    backEnd.close();
  }

  void connect(IotlbModel model) {
    connect(model, Personality.DPDK);
  }

  void connect(IotlbModel model, Personality personality) {
    end();
    begin(offer(model, personality));
    negotiate();
  }

  void begin(BackEndOffer offer) {
    backEnd = start(offer);
    begin();
  }

  /** A front end that has not said anything yet. */
  void begin() {
    guest = new TestFrontEnd(backEnd, ledger);
    guest.features |= VhostFeature.IOMMU_PLATFORM;
    guest.said = at -> page(at & -PAGE) + (at & (PAGE - 1));
    channel =
        BackEndChannel.open(
            "nic",
            backEnd.offer().dialect(),
            ledger,
            (_, payload, _) -> {
              misses.add((Iotlb) payload);
              return Answer.DONE;
            });
  }

  /** Everything up to the memory table, and the back end's own channel. */
  void negotiate() {
    channel.channel().negotiated(backEnd.offer().offeredProtocolFeatures());
    guest.channel.serve(channel.channel());
    guest.negotiate();
    guest.ok(FrontEndRequest.SET_BACKEND_REQ_FD, NoPayload.INSTANCE, channel.theirs());
  }

  static BackEndOffer offer(IotlbModel model, Personality personality) {
    return BackEndOffer.of(personality).withQueuePairs(1).withIotlb(model);
  }

  /** The I/O virtual address of a page. */
  static long page(long guestAddress) {
    return IOVA + 2 * guestAddress;
  }

  Iotlb update(long iova, long length, long guestAddress, int permission) {
    long user =
        guestAddress < 1L << 40
            ? guest.memory.table().userAddressOf(guestAddress, 1)
            : guestAddress;
    return new Iotlb(iova, length, user, permission, Iotlb.UPDATE);
  }

  Iotlb invalidate(long guestAddress) {
    return new Iotlb(page(guestAddress & -PAGE), PAGE, 0, 0, Iotlb.INVALIDATE);
  }

  void told(Iotlb message) {
    guest.ok(FrontEndRequest.IOTLB_MSG, message);
  }

  /** Tells the areas of both rings, page by page. */
  void rings() {
    for (int ring = 0; ring < 2; ring++) {
      guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(ring, TestFrontEnd.SIZE));
    }
    areas(0);
    areas(1);
  }

  void areas(int ring) {
    for (long area : new long[] {0, 0x2000, 0x3000}) {
      long at = TestFrontEnd.at(ring) + area;
      told(update(page(at), PAGE, at, RW));
    }
  }

  /** Tells a number of pages with one buffer each. */
  void buffers(int ring, int count) {
    for (int i = 0; i < count; i++) {
      long at = bufferPage(ring, i);
      told(update(page(at), PAGE, at, RW));
    }
  }

  static long bufferPage(int ring, int i) {
    return 0x100000L * (ring + 1) + (long) PAGE * i;
  }

  /** Two pages that are apart, behind adjoining I/O virtual addresses. */
  void apart(long first, long second) {
    told(update(page(first), PAGE, first, RW));
    told(update(page(first) + PAGE, PAGE, second, RW));
  }

  void ringsAndApart(long first, long second) {
    rings();
    guest.startRings();
    apart(first, second);
  }

  void ring(int ring, int size, long desc, long avail, long used) {
    guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(ring, size));
    guest.ok(FrontEndRequest.SET_VRING_BASE, new VringState(ring, 0));
    guest.ok(FrontEndRequest.SET_VRING_ADDR, new VringAddress(ring, 0, desc, used, avail, used));
    guest.ok(
        FrontEndRequest.SET_VRING_CALL,
        new VringDescriptor(ring, false),
        guest.calls[ring].descriptor());
    guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(ring, 1));
    guest.ok(
        FrontEndRequest.SET_VRING_KICK,
        new VringDescriptor(ring, false),
        guest.kicks[ring].descriptor());
  }

  /** A frame each way on each of so many pages, again where it was lost. Returns how many were. */
  int exchange(int pages) throws Exception {
    int lost = 0;
    for (int i = 0; i < pages; i++) {
      long tx = bufferPage(1, i);
      guest.memory.copyIn(tx + TestFrontEnd.HEADER, TestFrontEnd.frame(i, 60));
      guest.post(1, 0, tx, TestFrontEnd.HEADER + 60);
      guest.kicks[1].signal();
      assertThat(sent()).isEqualTo(TestFrontEnd.frame(i, 60));

      guest.post(0, 2, bufferPage(0, i), 2048);
      long before = backEnd.record().drops();
      peer.transmit(TestFrontEnd.frame(i, 100));
      assertThat(
              backEnd
                  .record()
                  .await(
                      r -> r.delivered() + r.drops() == received + before + 1, TestFrontEnd.soon()))
          .isTrue();
      if (backEnd.record().drops() > before) {
        lost++;
        answer(nextMiss());
        peer.transmit(TestFrontEnd.frame(i, 100));
      }
      assertThat(guest.called(0)).isTrue();
      received++;
    }
    return lost;
  }

  /** The next frame on the network; what is missing for it is told. */
  byte[] sent() throws Exception {
    Deadline soon = TestFrontEnd.soon();
    byte[] frame = arrived.poll();
    while (frame == null && !soon.expired()) {
      serveOnce();
      Iotlb miss = misses.poll();
      if (miss != null) {
        answer(miss);
      }
      frame = arrived.poll();
    }
    assertThat(frame).as("a frame within 10 s").isNotNull();
    return frame;
  }

  /** Sends the guest a frame that has to be lost. */
  void lose(FrameDrop reason) throws Exception {
    long before = backEnd.record().drops(reason);
    peer.transmit(TestFrontEnd.frame(3, 100));
    assertThat(backEnd.record().await(r -> r.drops(reason) == before + 1, TestFrontEnd.soon()))
        .isTrue();
  }

  /**
   * Makes a receive burst of two frames, of which the second one's translation is missing: the
   * first is not copied yet.
   */
  void holdABurstUp() throws Exception {
    connect(IotlbModel.DPDK.withHeldBursts());
    rings();
    buffers(0, 1);
    guest.startRings();
    guest.post(0, 2, bufferPage(0, 0), 2048);
    guest.post(0, 2, bufferPage(0, 1), 2048);
    peer.transmit(TestFrontEnd.frame(1, 100));
    peer.transmit(TestFrontEnd.frame(2, 100));
    assertThat(nextMiss().iova()).isEqualTo(page(bufferPage(0, 1)));
    assertThat(backEnd.record().delivered()).isZero();
  }

  static Payload payload(FrontEndRequest barrier) {
    return barrier == FrontEndRequest.SET_OWNER ? NoPayload.INSTANCE : new VringState(0, 1);
  }

  /** Tells the page that a miss asks for. */
  void answer(Iotlb miss) {
    long at = (miss.iova() - IOVA & -2L * PAGE) / 2;
    told(update(page(at), PAGE, at, RW));
  }

  Iotlb nextMiss() {
    Deadline soon = TestFrontEnd.soon();
    while (misses.isEmpty() && !soon.expired()) {
      serveOnce();
    }
    return misses.remove();
  }

  void serveOnce() {
    try (Poller poller = new Poller(1)) {
      poller.add(channel.channel().number(), Poller.IN);
      if (poller.await(TimeUnit.MILLISECONDS.toNanos(5)) > 0) {
        channel.channel().serveAvailable();
      }
    }
  }

  byte[] read(long guestAddress, int length) {
    byte[] bytes = new byte[length];
    guest.memory.copyOut(guestAddress, bytes);
    return bytes;
  }
}
