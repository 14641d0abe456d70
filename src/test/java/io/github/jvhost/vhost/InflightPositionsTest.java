package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.vhost.plan.InflightPositions;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.virtio.RingIndex;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Where a packed ring was, from regions as the specification draws them, and from others. */
class InflightPositionsTest {
  private static final int SIZE = 64;
  private static final long PART = 32 + 32L * SIZE;
  private static final int RING = 1;
  private static final long DESC = 0x10000;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
  private final MemoryFile file = MemoryFile.create(ledger, "in flight", 2 * PART);
  private final Mapping mapping = file.map(0, 2 * PART);
  private final MemorySegment ring = mapping.segment().asSlice(PART * RING);

  @AfterEach
  void close() {
    mapping.close();
    file.close();
    memory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Version, and both copies of the used position. */
  private void header(int used, boolean wrap, int old, boolean oldWrap) {
    putShort(8, 1);
    putShort(10, SIZE);
    putShort(16, used);
    putShort(18, old);
    ring.set(ValueLayout.JAVA_BYTE, 20, (byte) (wrap ? 1 : 0));
    ring.set(ValueLayout.JAVA_BYTE, 21, (byte) (oldWrap ? 1 : 0));
  }

  private void inFlight(int entry, int descriptors) {
    ring.set(ValueLayout.JAVA_BYTE, 32 + 32L * entry, (byte) 1);
    putShort(32 + 32 * entry + 6, descriptors);
  }

  private void putShort(int at, int value) {
    ring.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) value);
  }

  private Optional<RingIndex> position(int ringIndex, long size) {
    InflightRegion region = new InflightRegion(file.descriptor(), new Inflight(size, 0, 2, SIZE));
    return InflightPositions.of(
        region, ringIndex, SIZE, PackedDescriptors.flags(DeviceMemory.of(memory), DESC));
  }

  private Optional<RingIndex> position() {
    return position(RING, 2 * PART);
  }

  @Test
  void nothingInFlight() {
    header(17, false, 17, false);
    assertThat(position()).contains(RingIndex.packed(17, false, 17, false));
  }

  @Test
  void whatIsInFlightWasTakenAlready() {
    header(10, true, 10, true);
    inFlight(3, 2);
    inFlight(7, 5);
    assertThat(position()).contains(RingIndex.packed(17, true, 10, true));
  }

  @Test
  void theAvailableSideMayBeALapAhead() {
    header(60, true, 60, true);
    inFlight(0, 4);
    assertThat(position()).contains(RingIndex.packed(0, false, 60, true));
  }

  @Test
  void aBatchThatTheGuestNeverSawIsTakenBack() {
    header(12, true, 10, true);
    inFlight(1, 2);
    assertThat(position()).contains(RingIndex.packed(12, true, 10, true));
  }

  @Test
  void ofABatchThatTheGuestHasSeenNobodyKnowsTheRest() {
    header(12, true, 10, true);
    memory.putShort(DESC + 16 * 10 + 14, (short) 0x8080); // AVAIL and USED: used in this lap
    assertThat(position()).isEmpty();
  }

  @Test
  void aRegionThatWasNeverUsedSaysNothing() {
    assertThat(position()).isEmpty();
  }

  @Test
  void nonsenseSaysNothing() {
    header(SIZE, true, SIZE, true);
    assertThat(position()).as("outside of the ring").isEmpty();
    header(1, true, 1, true);
    inFlight(0, SIZE + 1);
    assertThat(position()).as("more in flight than there is room for").isEmpty();
  }

  @Test
  void aRegionOrAFileThatIsTooShortSaysNothing() {
    header(1, true, 1, true);
    assertThat(position(RING, 2 * PART - 64)).as("parts that hold fewer entries").isEmpty();
    assertThat(position(RING, 4 * PART)).as("a file that ends before the part").isEmpty();
    assertThat(position(2, 2 * PART)).as("a ring that it is not for").isEmpty();
  }
}
