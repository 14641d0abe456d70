package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SplitRingTest {
  private static final DriverRing.Part IN = new DriverRing.Part(0x8_0000, 64, true);
  private static final DriverRing.Part OUT = new DriverRing.Part(0x9_0000, 32, false);

  private final GuestMemory memory =
      GuestMemory.builder(DescriptorLedger.counting()).region("ram", 0, 1 << 20).build();
  private final GuestRam ram = new GuestRam(memory, 0x1000);
  private int deviceAvail;
  private int deviceUsed;

  SplitRingTest() {
    ram.format(64);
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private int deviceTakes(SplitRing ring) {
    int slot = deviceAvail++ % ring.size();
    return memory.getShort(ring.avail() + 4 + 2L * slot);
  }

  private void deviceUses(SplitRing ring, int head, int length) {
    long entry = ring.used() + 4 + 8L * (deviceUsed++ % ring.size());
    memory.putInt(entry, head);
    memory.putInt(entry + 4, length);
    memory.putShort(ring.used() + 2, (short) deviceUsed);
  }

  @Test
  void aChainLooksAsVirtioWantsIt() {
    SplitRing ring = SplitRing.create(ram, 8, 8);
    int head = ring.post(OUT, IN);
    assertThat(memory.getShort(ring.avail() + 2)).isEqualTo((short) 1);
    assertThat(deviceTakes(ring)).isEqualTo(head);
    long first = ring.desc() + 16L * head;
    assertThat(memory.getLong(first)).isEqualTo(OUT.gpa());
    assertThat(memory.getInt(first + 8)).isEqualTo(32);
    assertThat(memory.getShort(first + 12)).as("NEXT").isEqualTo((short) 1);
    long second = ring.desc() + 16L * memory.getShort(first + 14);
    assertThat(memory.getLong(second)).isEqualTo(IN.gpa());
    assertThat(memory.getShort(second + 12)).as("WRITE").isEqualTo((short) 2);
    assertThat(ring.freeCount()).isEqualTo(6);
  }

  @Test
  void noDescriptorIsLostOrGivenTwiceHoweverChainsComeBack() {
    long seed = 42;
    SplittableRandom random = new SplittableRandom(seed);
    SplitRing ring = SplitRing.create(ram, 16, 12);
    Deque<Integer> device = new ArrayDeque<>();
    Set<Integer> taken = new HashSet<>();
    // 100,000 steps: the 16-bit indexes wrap.
    for (int i = 0; i < 100_000; i++) {
      if (random.nextBoolean()) {
        int head = random.nextBoolean() ? ring.post(OUT) : ring.post(OUT, OUT, IN);
        if (head >= 0) {
          assertThat(deviceTakes(ring)).isEqualTo(head);
          assertThat(device).as("seed %d step %d", seed, i).doesNotContain(head);
          device.add(head);
        }
      } else if (!device.isEmpty()) {
        int head = random.nextBoolean() ? device.removeFirst() : device.removeLast();
        deviceUses(ring, head, i);
        assertThat(ring.takeUsed()).isEqualTo(new DriverRing.Used(head, i));
        taken.add(head);
        if (random.nextInt(3) == 0) {
          taken.forEach(ring::release);
          taken.clear();
        }
      }
      if (random.nextInt(100) == 0) {
        ring = SplitRing.attach(ram, ring.block());
      }
    }
    device.forEach(ring::release);
    taken.forEach(ring::release);
    assertThat(ring.freeCount()).isEqualTo(12);
  }

  @Test
  void aRingThatIsFullRefuses() {
    SplitRing ring = SplitRing.create(ram, 4, 3);
    assertThat(ring.post(OUT, IN)).isNotNegative();
    assertThat(ring.post(OUT, IN)).isEqualTo(-1);
    assertThat(ring.post(OUT)).isNotNegative();
    assertThat(ring.post(OUT)).isEqualTo(-1);
  }

  @Test
  void aDeviceThatTalksNonsenseIsNotBelieved() {
    SplitRing ring = SplitRing.create(ram, 8, 8);
    int head = ring.post(IN);
    deviceUses(ring, head + 1, 1);
    assertThatThrownBy(ring::takeUsed).isInstanceOf(VhostException.class);
    deviceUsed = 0;
    deviceUses(ring, -1, 1);
    assertThatThrownBy(ring::takeUsed).isInstanceOf(VhostException.class);
    deviceUsed = 0;
    deviceUses(ring, head, 1);
    assertThat(ring.takeUsed()).isNotNull();
    // The same chain once more, before it was released.
    deviceUses(ring, head, 1);
    assertThatThrownBy(ring::takeUsed).hasMessageContaining("no chain");
    // An index that went back: what an old copy of the ring looks like.
    memory.putShort(ring.used() + 2, (short) 0);
    assertThatThrownBy(ring::takeUsed).hasMessageContaining("used index");
  }

  @Test
  void theDeviceDecidesWhetherItIsKicked() {
    SplitRing ring = SplitRing.create(ram, 8, 8);
    assertThat(ring.needsKick()).isTrue();
    memory.putShort(ring.used(), (short) 1);
    assertThat(ring.needsKick()).isFalse();
  }

  @Test
  void garbageIsNoRing() {
    SplitRing ring = SplitRing.create(ram, 8, 8);
    memory.putLong(ring.block() + 16, 1 << 20);
    assertThatThrownBy(() -> SplitRing.attach(ram, ring.block()))
        .isInstanceOf(VhostException.class);
    assertThatThrownBy(() -> SplitRing.attach(ram, 0x7000)).isInstanceOf(VhostException.class);
  }
}
