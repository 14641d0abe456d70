package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndChannel;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.SwitchPort;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The mock back end's packet path behind an IOMMU. The guest's driver says I/O virtual addresses:
 * every second page of a range of their own, so that no two of its pages adjoin.
 */
class MockBackEndIotlbTest {
  private static final long IOVA = 0x4000_0000L;
  private static final int PAGE = 4096;
  private static final int RW = Access.READ_WRITE.bits();

  @TempDir private Path dir;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final LearningSwitch network = new LearningSwitch();
  private final LinkedBlockingQueue<byte[]> arrived = new LinkedBlockingQueue<>();
  private final Queue<Iotlb> misses = new ArrayDeque<>();
  private long received;
  private SwitchPort peer;
  private SwitchPort plug;
  private MockBackEnd backEnd;

  @SuppressWarnings("NullAway.Init") // begin() sets it
  private TestFrontEnd guest;

  @SuppressWarnings("NullAway.Init") // begin() sets it
  private BackEndChannel.Opened channel;

  @BeforeEach
  void plugIn() {
    peer = network.attach("peer");
    plug = network.attach("nic");
    peer.onFrame(() -> {
      byte[] frame = peer.poll();
      if (frame != null) {
        arrived.add(frame);
      }
    });
    begin(offer(IotlbModel.DPDK, Personality.DPDK));
  }

  @AfterEach
  void nothingIsLeftOpen() {
    end();
    peer.close();
    plug.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

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

  // Adjoining addresses whose memory is apart.

  @Test
  void aReceivedFrameOverTwoAdjoiningPagesRunsIntoAForeignPage() throws Exception {
    connect(IotlbModel.DPDK);
    ringsAndApart(0x200000, 0x300000);
    guest.post(0, 2, 0x200000 + PAGE - 100, 2048);

    peer.transmit(TestFrontEnd.frame(7, 200));
    assertThat(guest.called(0)).isTrue();

    byte[] whole = TestFrontEnd.frame(7, 200);
    assertThat(read(0x200000 + PAGE, 112))
        .as("never mapped")
        .isEqualTo(Arrays.copyOfRange(whole, 88, 200));
    assertThat(read(0x300000, 112)).as("mapped").containsOnly(0);
  }

  @Test
  void aSentFrameOverTwoAdjoiningPagesHasForeignBytes() throws Exception {
    connect(IotlbModel.DPDK);
    ringsAndApart(0x200000, 0x300000);
    byte[] frame = TestFrontEnd.frame(7, 200);
    guest.memory.copyIn(0x200000 + PAGE - 88, Arrays.copyOf(frame, 88));
    guest.memory.copyIn(0x300000, Arrays.copyOfRange(frame, 88, 200));
    guest.post(1, 0, 0x200000 + PAGE - 100, 212);
    guest.kicks[1].signal();

    assertThat(next()).isEqualTo(Arrays.copyOf(Arrays.copyOf(frame, 88), 200));
  }

  @Test
  void aBackEndThatLooksAtEachPieceIsRightAcrossTwoPages() throws Exception {
    connect(IotlbModel.DPDK.withoutJoining());
    ringsAndApart(0x200000, 0x300000);
    guest.post(0, 2, 0x200000 + PAGE - 100, 2048);
    peer.transmit(TestFrontEnd.frame(7, 200));
    assertThat(guest.called(0)).isTrue();

    byte[] whole = TestFrontEnd.frame(7, 200);
    assertThat(read(0x200000 + PAGE - 88, 88)).isEqualTo(Arrays.copyOf(whole, 88));
    assertThat(read(0x300000, 112)).isEqualTo(Arrays.copyOfRange(whole, 88, 200));
    assertThat(read(0x200000 + PAGE, 112)).containsOnly(0);
  }

  @Test
  void ofARingOverTwoAdjoiningPagesTheSecondIsNotRead() throws Exception {
    connect(IotlbModel.DPDK);
    guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(1, 512));
    // Descriptors 0 to 255 are at 0x200000, and 256 to 511 at 0x300000.
    apart(0x200000, 0x300000);
    told(update(page(0x210000), 2 * PAGE, 0x210000, RW));
    told(update(page(0x220000), 2 * PAGE, 0x220000, RW));
    ring(1, 512, page(0x200000), page(0x210000), page(0x220000));
    ring(0, 8, page(0x210000), page(0x210000) + 0x1000, page(0x220000) + 0x1800);
    guest.ok(FrontEndRequest.SET_STATUS, new U64(0xf));
    byte[] frame = TestFrontEnd.frame(1, 60);
    guest.memory.copyIn(0x200000L + 12, frame);
    guest.memory.putLong(0x300000L + 16 * 44, page(0x200000));
    guest.memory.putInt(0x300000L + 16 * 44 + 8, 72);
    guest.memory.putShort(0x210000L + 4, (short) 300);
    guest.memory.putShortRelease(0x210000L + 2, (short) 1);
    guest.kicks[1].signal();

    assertThat(backEnd.record().await(r -> !r.notes().isEmpty(), TestFrontEnd.soon())).isTrue();
    assertThat(backEnd.record().notes().getFirst())
        .as("descriptor 300, read from a page that was never mapped, is empty")
        .contains("gave up ring 1")
        .contains("a frame of 0 bytes");
  }

  // Invalidations.

  @Test
  void aFlushOfAllKillsTheReceiveRingUntilItIsToldAgain() throws Exception {
    connect(IotlbModel.DPDK);
    rings();
    buffers(0, 8);
    buffers(1, 8);
    guest.startRings();
    assertThat(exchange(2)).isZero();

    told(new Iotlb(0, -1, 0, 0, Iotlb.INVALIDATE));
    for (int i = 0; i < 3; i++) {
      answer(nextMiss());
    }
    guest.send(TestFrontEnd.frame(5, 60));
    answer(nextMiss());
    assertThat(next()).as("the transmit ring came back").isEqualTo(TestFrontEnd.frame(5, 60));
    lose(FrameDrop.RX_STOPPED);

    areas(0);
    buffers(0, 8);
    guest.post(0, 2, TestFrontEnd.buffer(0, 2), 2048);
    peer.transmit(TestFrontEnd.frame(9, 100));
    assertThat(guest.called(0)).isTrue();
    assertThat(guest.usedIndex(0)).isEqualTo(3);
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(
      value = FrontEndRequest.class,
      names = {"SET_VRING_ENABLE", "SET_OWNER"})
  void aMessageThatTakesTheLockWaitsForTheBurst(FrontEndRequest barrier) throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));
    assertThat(guest.usedIndex(0)).as("held up").isZero();

    guest.ok(barrier, payload(barrier));

    assertThat(guest.usedIndex(0)).isEqualTo(1);
    assertThat(guest.received(0, 12, 100)).isEqualTo(TestFrontEnd.frame(1, 100));
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @Test
  void theLockOfAnotherRingIsNoBarrier() throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));

    guest.ok(FrontEndRequest.SET_VRING_ENABLE, new VringState(1, 1));

    assertThat(guest.usedIndex(0)).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void withoutABarrierAPageIsWrittenAfterItsInvalidation(boolean otherMessages) throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));
    if (otherMessages) {
      told(invalidate(TestFrontEnd.buffer(0, 0)));
      guest.ask(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE);
    }

    told(update(page(bufferPage(0, 1)), PAGE, bufferPage(0, 1), RW));

    assertThat(backEnd.record().await(r -> !r.violations().isEmpty(), TestFrontEnd.soon()))
        .isTrue();
    assertThat(backEnd.record().violations())
        .extracting(RuleBreach::rule)
        .containsExactly(Rule.USED_AFTER_INVALIDATION);
    assertThat(guest.received(0, 12, 100)).isEqualTo(TestFrontEnd.frame(1, 100));
  }

  @Test
  void aBurstThatIsHeldUpMayUseWhatIsToldAgain() throws Exception {
    holdABurstUp();
    told(invalidate(TestFrontEnd.buffer(0, 0)));
    buffers(0, 1);

    assertThat(guest.called(0)).isTrue();
    assertThat(backEnd.record().violations()).isEmpty();
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

  // In short words.

  private void connect(IotlbModel model) {
    connect(model, Personality.DPDK);
  }

  private void connect(IotlbModel model, Personality personality) {
    end();
    begin(offer(model, personality));
    negotiate();
  }

  private void begin(BackEndOffer offer) {
    backEnd = MockBackEnd.builder(dir.resolve("nic"), ledger).offer(offer).port(plug).start();
    begin();
  }

  /** A front end that has not said anything yet. */
  private void begin() {
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

  private void end() {
    channel.channel().close();
    channel.theirs().close();
    guest.close();
    backEnd.close();
  }

  /** Everything up to the memory table, and the back end's own channel. */
  private void negotiate() {
    channel.channel().negotiated(backEnd.offer().offeredProtocolFeatures());
    guest.channel.serve(channel.channel());
    guest.negotiate();
    guest.ok(FrontEndRequest.SET_BACKEND_REQ_FD, NoPayload.INSTANCE, channel.theirs());
  }

  private static BackEndOffer offer(IotlbModel model, Personality personality) {
    return BackEndOffer.of(personality).withQueuePairs(1).withIotlb(model);
  }

  /** The I/O virtual address of a page. */
  private static long page(long guestAddress) {
    return IOVA + 2 * guestAddress;
  }

  private Iotlb update(long iova, long length, long guestAddress, int permission) {
    long user =
        guestAddress < 1L << 40
            ? guest.memory.table().userAddressOf(guestAddress, 1)
            : guestAddress;
    return new Iotlb(iova, length, user, permission, Iotlb.UPDATE);
  }

  private Iotlb invalidate(long guestAddress) {
    return new Iotlb(page(guestAddress & -PAGE), PAGE, 0, 0, Iotlb.INVALIDATE);
  }

  private void told(Iotlb message) {
    guest.ok(FrontEndRequest.IOTLB_MSG, message);
  }

  /** Tells the areas of both rings, page by page. */
  private void rings() {
    for (int ring = 0; ring < 2; ring++) {
      guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(ring, TestFrontEnd.SIZE));
    }
    areas(0);
    areas(1);
  }

  private void areas(int ring) {
    for (long area : new long[] {0, 0x2000, 0x3000}) {
      long at = TestFrontEnd.at(ring) + area;
      told(update(page(at), PAGE, at, RW));
    }
  }

  /** Tells a number of pages with one buffer each. */
  private void buffers(int ring, int count) {
    for (int i = 0; i < count; i++) {
      long at = bufferPage(ring, i);
      told(update(page(at), PAGE, at, RW));
    }
  }

  private static long bufferPage(int ring, int i) {
    return 0x100000L * (ring + 1) + (long) PAGE * i;
  }

  /** Two pages that are apart, behind adjoining I/O virtual addresses. */
  private void apart(long first, long second) {
    told(update(page(first), PAGE, first, RW));
    told(update(page(first) + PAGE, PAGE, second, RW));
  }

  private void ringsAndApart(long first, long second) {
    rings();
    guest.startRings();
    apart(first, second);
  }

  private void ring(int ring, int size, long desc, long avail, long used) {
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
  private int exchange(int pages) throws Exception {
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
  private byte[] sent() throws Exception {
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
  private void lose(FrameDrop reason) throws Exception {
    long before = backEnd.record().drops(reason);
    peer.transmit(TestFrontEnd.frame(3, 100));
    assertThat(backEnd.record().await(r -> r.drops(reason) == before + 1, TestFrontEnd.soon()))
        .isTrue();
  }

  /**
   * Makes a receive burst of two frames, of which the second one's translation is missing: the
   * first is not copied yet.
   */
  private void holdABurstUp() throws Exception {
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

  private static Payload payload(FrontEndRequest barrier) {
    return barrier == FrontEndRequest.SET_OWNER ? NoPayload.INSTANCE : new VringState(0, 1);
  }

  /** Tells the page that a miss asks for. */
  private void answer(Iotlb miss) {
    long at = (miss.iova() - IOVA & -2L * PAGE) / 2;
    told(update(page(at), PAGE, at, RW));
  }

  private Iotlb nextMiss() {
    Deadline soon = TestFrontEnd.soon();
    while (misses.isEmpty() && !soon.expired()) {
      serveOnce();
    }
    return misses.remove();
  }

  private void serveOnce() {
    try (Poller poller = new Poller(1)) {
      poller.add(channel.channel().number(), Poller.IN);
      if (poller.await(TimeUnit.MILLISECONDS.toNanos(5)) > 0) {
        channel.channel().serveAvailable();
      }
    }
  }

  private byte[] read(long guestAddress, int length) {
    byte[] bytes = new byte[length];
    guest.memory.copyOut(guestAddress, bytes);
    return bytes;
  }

  private byte[] next() throws InterruptedException {
    byte[] frame = arrived.poll(10, TimeUnit.SECONDS);
    assertThat(frame).as("a frame within 10 s").isNotNull();
    return frame;
  }
}
