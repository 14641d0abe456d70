package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A guest memory of a few small regions next to plain byte arrays that stand for them, both put
 * through the same random accesses, most of which are near a border.
 */
final class RandomAccesses {
  private final long seed;
  private final SplittableRandom random;
  private final DescriptorLedger ledger;
  private final TreeMap<Long, byte[]> model = new TreeMap<>();

  RandomAccesses(long seed, DescriptorLedger ledger) {
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.ledger = ledger;
  }

  void run(int accesses) {
    GuestMemory.Builder builder = GuestMemory.builder(ledger);
    long gpa = 0;
    int regions = random.nextInt(1, 6);
    for (int i = 0; i < regions; i++) {
      gpa += random.nextInt(3) * MemoryRegion.PAGE; // 0: it touches the one before
      byte[] bytes = new byte[(int) MemoryRegion.PAGE * random.nextInt(1, 4)];
      builder.region("r" + i, gpa, bytes.length);
      model.put(gpa, bytes);
      gpa += bytes.length;
    }
    try (GuestMemory memory = builder.build()) {
      for (int i = 0; i < accesses; i++) {
        access(memory);
      }
      for (Map.Entry<Long, byte[]> region : model.entrySet()) {
        byte[] actual = new byte[region.getValue().length];
        memory.copyOut(region.getKey(), actual);
        assertThat(Arrays.equals(actual, region.getValue())).as("seed %d", seed).isTrue();
      }
    }
  }

  private void access(GuestMemory memory) {
    long gpa = address();
    int length = random.nextInt(4) == 0 ? random.nextInt(9000) : random.nextInt(17);
    byte[] data = new byte[length];
    random.nextBytes(data);
    Map.Entry<Long, byte[]> region = modelRegion(gpa, length);
    if (region == null) {
      String as = "seed " + seed + ", gpa " + gpa + ", length " + length;
      assertThatThrownBy(() -> memory.copyIn(gpa, data))
          .as(as)
          .isInstanceOf(GuestAddressException.class);
      assertThatThrownBy(() -> memory.slice(gpa, length))
          .as(as)
          .isInstanceOf(GuestAddressException.class);
      assertThat(memory.table().contains(gpa, length)).as(as).isFalse();
      return;
    }
    int at = (int) (gpa - region.getKey());
    assertThat(memory.slice(gpa, length).byteSize()).isEqualTo(length);
    assertThat(memory.table().userAddressOf(gpa, length) - GuestMemory.USER_ADDRESS_BASE)
        .isEqualTo(gpa);
    memory.copyIn(gpa, data);
    System.arraycopy(data, 0, region.getValue(), at, length);
    if (length >= Long.BYTES) {
      long value = random.nextLong();
      memory.putLong(gpa, value);
      for (int i = 0; i < Long.BYTES; i++) {
        region.getValue()[at + i] = (byte) (value >>> (8 * i));
      }
      assertThat(memory.getLong(gpa)).as("seed %d", seed).isEqualTo(value);
    }
  }

  /** Around the borders of regions mostly, sometimes anywhere. */
  private long address() {
    if (random.nextInt(10) == 0) {
      return random.nextLong();
    }
    long last = model.lastKey() + model.lastEntry().getValue().length;
    long border = MemoryRegion.PAGE * random.nextLong(last / MemoryRegion.PAGE + 1);
    return border + random.nextInt(-20, 20);
  }

  private Map.@Nullable Entry<Long, byte[]> modelRegion(long gpa, long length) {
    Map.Entry<Long, byte[]> below = model.floorEntry(gpa);
    // An empty access may lie at a region's end, which where two regions touch is the next one's
    // begin.
    return below != null && gpa + length <= below.getKey() + below.getValue().length ? below : null;
  }
}
