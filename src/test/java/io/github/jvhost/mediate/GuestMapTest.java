package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Any sequence of memory tables: equal regions keep their address, others get one never used. */
class GuestMapTest {
  private static final int MIB = 1 << 20;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  private record Place(long guestAddress, long size, long offset, int file) {}

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void equalRegionsKeepTheirAddressAndOthersGetNewOnes(long seed) {
    Random random = new Random(seed);
    try (MemoryFile first = MemoryFile.create(ledger, "first", 8 * MIB);
        MemoryFile second = MemoryFile.create(ledger, "second", 8 * MIB);
        GuestMap map = new GuestMap()) {
      List<MemoryFile> files = List.of(first, second);
      Map<Place, Long> before = Map.of();
      for (int i = 0; i < 200; i++) {
        List<Place> places = places(random);
        List<MemoryRegionPayload> regions = new ArrayList<>();
        List<OwnedDescriptor> sent = new ArrayList<>();
        for (Place p : places) {
          regions.add(
              new MemoryRegionPayload(
                  p.guestAddress(), p.size(), 0x7000_0000_0000L + p.guestAddress(), p.offset()));
          sent.add(files.get(p.file()).descriptor().duplicate());
        }
        map.replace(new MemoryTablePayload(regions), sent).forEach(OwnedDescriptor::close);
        before = check(map, places, before);
        refuse(map, random, first);
        assertThat(ledger.describeOpen()).hasSize(2 + places.size());
      }
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Regions that lie apart: each in an eighth of the guest's memory. */
  private static List<Place> places(Random random) {
    List<Place> places = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      if (random.nextInt(3) > 0) {
        long size = (long) (1 + random.nextInt(2)) * MIB / 2;
        places.add(new Place((long) i * MIB, size, (long) i * MIB, random.nextInt(8) == 0 ? 1 : 0));
      }
    }
    return places;
  }

  private static Map<Place, Long> check(GuestMap map, List<Place> places, Map<Place, Long> before) {
    Map<Place, Long> now = new HashMap<>();
    List<MemoryRegion> regions = map.table().regions();
    assertThat(regions).hasSameSizeAs(places);
    for (int i = 0; i < places.size(); i++) {
      Place place = places.get(i);
      long address = regions.get(i).userAddress();
      Long old = before.get(place);
      if (old == null) {
        assertThat(before.values())
            .as("an address is never used for another")
            .doesNotContain(address);
      } else {
        assertThat(address).as("equal regions keep their address").isEqualTo(old);
      }
      for (Map.Entry<Place, Long> other : now.entrySet()) {
        assertThat(
                address + place.size() <= other.getValue()
                    || other.getValue() + other.getKey().size() <= address)
            .as("no two overlap")
            .isTrue();
      }
      now.put(place, address);
      long within = place.size() - 1;
      assertThat(map.guestAddress(0x7000_0000_0000L + place.guestAddress() + within))
          .isEqualTo(place.guestAddress() + within);
    }
    return now;
  }

  /** A table that cannot be passed on changes nothing, and its files are closed. */
  private static void refuse(GuestMap map, Random random, MemoryFile file) {
    var before = map.table();
    long beyond = 8L * MIB - random.nextInt(MIB);
    List<MemoryRegionPayload> one =
        List.of(new MemoryRegionPayload(0, 2L * MIB, 0x7000_0000_0000L, beyond & -4096L));
    try {
      map.replace(new MemoryTablePayload(one), List.of(file.descriptor().duplicate()))
          .forEach(OwnedDescriptor::close);
      throw new AssertionError("it was taken");
    } catch (VhostException e) {
      assertThat(map.table()).isSameAs(before);
    }
  }
}
