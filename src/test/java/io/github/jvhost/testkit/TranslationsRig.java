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
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;

/**
 * Test aid: the mock back end's translations, without sockets. Everything is as DPDK 22.11 was seen
 * to do it.
 *
 * <pre>
 *   ring r:  descriptors at 0x100000 x (r + 1), available ring + 0x10000, used ring + 0x20000
 *            its memory begins at user address USER + 0x80000 x (r + 1)
 * </pre>
 */
abstract class TranslationsRig {
  static final long IOMMU = FEATURES | VhostFeature.IOMMU_PLATFORM;
  static final int R = Access.READ.bits();
  static final int RW = Access.READ_WRITE.bits();
  ToldState told = with(IotlbModel.DPDK);

  static ToldState with(IotlbModel model) {
    return new ToldState(offer().withIotlb(model));
  }

  static BackEndOffer offer() {
    return BackEndOffer.of(Personality.DPDK)
        .withQueuePairs(2)
        .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
  }

  void early() {
    told.protocol().features(IOMMU).status(8);
    table(RAM);
  }

  /** Both rings of a pair, told with all that they need before they are kicked. */
  void startEarly() {
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

  static VringAddress place(int ring, int flags) {
    long at = 0x100000L * (ring + 1);
    return new VringAddress(ring, flags, at, at + 0x20000, at + 0x10000, at + 0x20000);
  }

  void address(int ring, int flags) {
    told.done(FrontEndRequest.SET_VRING_ADDR, place(ring, flags), 0);
  }

  void areas(int ring) {
    long at = 0x100000L * (ring + 1);
    done(update(at, 0x30000, USER + at / 2, RW));
  }

  void page(long iova, long guestAddress) {
    done(update(iova, 4096, USER + guestAddress, RW));
  }

  static Iotlb update(long iova, long length, long userAddress, int permission) {
    return new Iotlb(iova, length, userAddress, permission, Iotlb.UPDATE);
  }

  void table(MemoryRegionPayload... regions) {
    told.done(
        FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(regions)), regions.length);
  }

  void done(Iotlb message) {
    told.done(FrontEndRequest.IOTLB_MSG, message, 0);
  }

  /** What was asked for: ring, address, access. */
  List<String> asked() {
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
  long use(int ring, long iova, int permission) {
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
  long at(int ring, long iova) {
    return told.state.model(ring).iotlb.find(iova, 1, Access.READ, _ -> {}).stream()
        .findFirst()
        .map(RingIotlb.Piece::userAddress)
        .orElse(-1L);
  }
}
