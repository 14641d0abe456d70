package io.github.jvhost.testkit;

import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Where the rings of one {@link BackEndState} are in memory. Without an IOMMU their addresses are
 * user addresses. With one each ring looks them up in its {@link RingIotlb}. Used by one thread.
 *
 * <pre>
 *   what comes                          translations forgotten            misses forgotten   rings
 *   UPDATE                              the oldest, when full             that it answers    in its range: looked up
 *   INVALIDATE                          in its range, and right behind    none               in its range: unmapped
 *   miss                                the oldest, when full             all, when full     -
 *   GET_VRING_BASE                      the ring's                        the ring's         stopped
 *   another table, ADD_MEM_REG          all                               all                looked up
 *   REM_MEM_REG                         with I/O virtual addresses among  none               looked up
 *                                       the region's guest addresses
 *   features without MQ, RESET_*        of the rings that go              of those rings     gone until they are named
 *   the same table, SET_FEATURES,       none                              none               -
 *   SET_STATUS, other messages
 *   a new connection                    all                               all                gone
 * </pre>
 *
 * <p>This follows DPDK 22.11, and for REM_MEM_REG, which that has not, its main branch.
 */
final class BackEndTranslations {
  private static final int LOG_BYTES = 8;

  private final BackEndState state;
  private final RingModel[] rings;
  private final BackEndMemoryTable memory;

  /** One part of a ring. */
  private record Area(long address, long length) {}

  BackEndTranslations(BackEndState state, RingModel[] rings, BackEndMemoryTable memory) {
    this.state = state;
    this.rings = rings;
    this.memory = memory;
  }

  boolean active() {
    return (state.features() & VhostFeature.IOMMU_PLATFORM) != 0;
  }

  /** A message has named this ring: it exists from now on, and those before it. */
  void named(int ring) {
    for (int i = 0; i <= ring; i++) {
      rings[i].named = true;
    }
  }

  Outcome take(Iotlb message) {
    if (!active()) {
      return Outcome.failed("a translation without an IOMMU");
    }
    return switch (message.type()) {
      case Iotlb.UPDATE -> update(message);
      case Iotlb.INVALIDATE -> invalidate(message);
      default -> Outcome.failed("a translation of type " + message.type());
    };
  }

  private Outcome update(Iotlb told) {
    MemoryRegionPayload region = memory.regionAt(told.userAddress());
    if (region == null) {
      return Outcome.failed(
          "a translation to user address 0x"
              + Long.toHexString(told.userAddress())
              + ", which is outside of the memory table");
    }
    long most = region.size() - (told.userAddress() - region.userAddress());
    boolean fits = Long.compareUnsigned(told.length(), most) <= 0;
    Iotlb entry =
        new Iotlb(
            told.iova(),
            fits ? told.length() : most,
            told.userAddress(),
            told.permission(),
            Iotlb.UPDATE);
    boolean kept = false;
    for (RingModel ring : rings) {
      if (ring.named) {
        kept |= ring.iotlb.add(entry);
        // DPDK's rings lie at address 0 until they are told another one.
        if (ring.address == null && ring.size > 0 && touches(zero(ring), ring, entry)) {
          ring.address = zero(ring);
        }
        if (ring.mapped == null && touches(ring, entry)) {
          state.ringSet().map(ring);
        }
      }
    }
    state.effect(new Effect.TranslationTold(told, kept));
    return Outcome.done();
  }

  private static VringAddress zero(RingModel ring) {
    return new VringAddress(ring.number, 0, 0, 0, 0, 0);
  }

  private Outcome invalidate(Iotlb told) {
    for (RingModel ring : rings) {
      ring.iotlb.remove(told.iova(), told.length());
      if (ring.mapped != null && touches(ring, told)) {
        state.ringSet().lose(ring);
      }
      if (ring.unmapped && looksAgain(ring)) {
        state.ringSet().map(ring);
      }
    }
    state.effect(new Effect.TranslationTold(told, true));
    return Outcome.done();
  }

  /**
   * A poll loop comes back to a TX ring that lost its place, and asks for it. DPDK's application is
   * told that an RX ring is disabled, and does not come back to it.
   */
  private static boolean looksAgain(RingModel ring) {
    return ring.number % 2 == 1;
  }

  /** Another memory table: what was translated points nowhere now. */
  void memoryReplaced() {
    for (RingModel ring : rings) {
      ring.iotlb.clear();
    }
  }

  /** DPDK's main branch compares I/O virtual addresses with guest addresses here. */
  void regionRemoved(MemoryRegionPayload region) {
    for (RingModel ring : rings) {
      ring.iotlb.remove(region.guestAddress(), region.size());
    }
  }

  /**
   * Returns a ring's addresses as user addresses, and its log address as a guest address. Asks for
   * the first translation that is missing: log, descriptors, available ring, used ring.
   *
   * @return null if a part of the ring is not in memory, or its translation is missing
   */
  @Nullable VringAddress map(RingModel ring, VringAddress told) {
    if (!active()) {
      return inMemory(told, ring) ? told : null;
    }
    Consumer<Iotlb> ask = miss -> state.effect(new Effect.TranslationMissed(ring.number, miss));
    long log = 0;
    if ((told.flags() & VringAddress.LOG) != 0) {
      Long place = find(ring, new Area(told.log(), LOG_BYTES), ask);
      log = place == null ? 0 : memory.guestAddressOf(place);
      if (log == 0) {
        return null;
      }
    }
    long[] places = new long[3];
    List<Area> areas = areas(told, ring);
    for (int i = 0; i < places.length; i++) {
      Long place = ring.size == 0 ? null : find(ring, areas.get(i), ask);
      if (place == null) {
        return null;
      }
      places[i] = place;
    }
    return new VringAddress(ring.number, told.flags(), places[0], places[2], places[1], log);
  }

  private static @Nullable Long find(RingModel ring, Area area, Consumer<Iotlb> ask) {
    var pieces = ring.iotlb.find(area.address, area.length, Access.READ_WRITE, ask);
    return pieces.size() == 1 ? pieces.getFirst().userAddress() : null;
  }

  /** Returns the guest address of a user address, or 0 if it is not in memory. */
  long guestAddressOf(long userAddress) {
    return memory.guestAddressOf(userAddress);
  }

  /** Returns true if a ring without an IOMMU lies in the memory table. */
  boolean inMemory(VringAddress told, RingModel ring) {
    return areas(told, ring).stream().allMatch(area -> memory.holds(area.address, area.length));
  }

  /** Returns true if a part of a ring lies in the range of a message. */
  boolean touches(RingModel ring, Iotlb message) {
    return touches(ring.address, ring, message);
  }

  private boolean touches(@Nullable VringAddress told, RingModel ring, Iotlb message) {
    return told != null
        && (areas(told, ring).stream().anyMatch(area -> overlap(area, message))
            || ((told.flags() & VringAddress.LOG) != 0
                && overlap(new Area(told.log(), LOG_BYTES), message)));
  }

  private static boolean overlap(Area area, Iotlb message) {
    return Long.compareUnsigned(area.address, message.iova() + message.length()) < 0
        && Long.compareUnsigned(message.iova(), area.address + area.length) < 0;
  }

  /**
   * Returns the parts of a ring in the order in which they are looked up: descriptors, available
   * ring or driver area, used ring or device area. A ring of unknown size has one entry.
   */
  private List<Area> areas(VringAddress told, RingModel ring) {
    long entries = Math.max(ring.size, 1);
    boolean packed = NetFeature.RING_PACKED.in(state.features());
    return List.of(
        new Area(told.descriptor(), 16 * entries),
        new Area(told.available(), packed ? Integer.BYTES : 6 + 2 * entries),
        new Area(told.used(), packed ? Integer.BYTES : 6 + 8 * entries));
  }
}
