package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.DeviceOnMemory;
import io.github.jvhost.virtio.ControlCommand;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The driver's and the device's side of packed rings on one piece of memory. */
class PackedRingTest {
  private static final long BUFFERS = 0x8_0000;
  private static final int PART = 16;
  private static final DriverRing.Part IN = new DriverRing.Part(BUFFERS, 64, true);
  private static final DriverRing.Part OUT = new DriverRing.Part(BUFFERS + 64, 32, false);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 4 << 20).build();
  private final GuestRam ram = new GuestRam(memory, 0x1000);
  private final List<DeviceOnMemory> devices = new ArrayList<>();

  PackedRingTest() {
    ram.format(64);
  }

  @AfterEach
  void close() {
    devices.forEach(DeviceOnMemory::close);
    memory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private DeviceOnMemory deviceOf(DriverRing ring) {
    DeviceOnMemory device =
        new DeviceOnMemory(memory, ring.size(), ring.desc(), ring.avail(), ring.used());
    devices.add(device);
    return device;
  }

  @Test
  void aChainLooksAsVirtioWantsIt() {
    PackedRing ring = PackedRing.create(ram, 5, 5);
    int id = ring.post(OUT, IN);
    assertThat(memory.getLong(ring.desc())).isEqualTo(OUT.gpa());
    assertThat(memory.getInt(ring.desc() + 8)).isEqualTo(32);
    assertThat(memory.getShort(ring.desc() + 14)).as("AVAIL, NEXT").isEqualTo((short) 0x81);
    assertThat(memory.getLong(ring.desc() + 16)).isEqualTo(IN.gpa());
    assertThat(memory.getShort(ring.desc() + 28)).as("id").isEqualTo((short) id);
    assertThat(memory.getShort(ring.desc() + 30)).as("AVAIL, WRITE").isEqualTo((short) 0x82);
    assertThat(ring.freeCount()).isEqualTo(3);
    ring.post(OUT, IN);
    ring.release(ring.post(OUT));
    // The second lap: both marks are the other way round.
    ring.post(IN);
    assertThat(memory.getShort(ring.desc() + 14)).as("USED, WRITE").isEqualTo((short) 0x8002);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 100, 256})
  void everyFrameOfTheGuestArrivesOnceAndInOrder(int size) {
    long seed = 42L + size;
    SplittableRandom random = new SplittableRandom(seed);
    DriverRing ring = DriverRing.create(ram, true, size, random.nextInt(1, size + 1));
    DeviceOnMemory device = deviceOf(ring);
    int usable = ring.freeCount();
    Deque<Integer> posted = new ArrayDeque<>();
    List<Integer> taken = new ArrayList<>();
    int sent = 0;
    int arrived = 0;
    for (int step = 0; step < 30_000; step++) {
      switch (random.nextInt(5)) {
        case 0, 1 -> {
          DriverRing.Part[] chain = new DriverRing.Part[random.nextInt(1, 5)];
          boolean room = ring.freeCount() >= chain.length;
          long buffer = BUFFERS + (room ? ring.nextHead() : 0) * 4L * PART;
          for (int i = 0; i < chain.length; i++) {
            chain[i] = new DriverRing.Part(buffer + (long) i * PART, PART, false);
            if (room) {
              memory.putInt(chain[i].gpa(), sent + i);
            }
          }
          int head = ring.post(chain);
          assertThat(head >= 0).as("seed %d, step %d", seed, step).isEqualTo(room);
          if (room) {
            posted.add(head);
            sent += chain.length;
          }
        }
        case 2 -> {
          for (byte[] frame : device.take(random.nextInt(1, 4))) {
            for (int at = 0; at < frame.length; at += PART) {
              assertThat(Integer.reverseBytes(ByteBuffer.wrap(frame).getInt(at)))
                  .as("seed %d, step %d", seed, step)
                  .isEqualTo(arrived++);
            }
          }
        }
        case 3 -> {
          DriverRing.Used used = ring.takeUsed();
          if (used != null) {
            assertThat(used).isEqualTo(new DriverRing.Used(posted.remove(), 0));
            taken.add(used.head());
          }
        }
        default -> {
          // Chains come back in any order, both sides move, and nobody remembers anything.
          while (!taken.isEmpty() && random.nextInt(4) != 0) {
            int which = random.nextInt(taken.size());
            ring.release(taken.get(which));
            taken.remove(/* index */ which);
          }
          if (random.nextInt(10) == 0) {
            ring = DriverRing.attach(ram, ring.block());
            int base = device.base();
            device = random.nextBoolean() ? deviceAt(ring, base, device) : device;
            device.restart();
          }
        }
      }
    }
    device.take(size);
    for (DriverRing.Used used = ring.takeUsed(); used != null; used = ring.takeUsed()) {
      taken.add(used.head());
    }
    taken.forEach(ring::release);
    assertThat(ring.freeCount()).isEqualTo(usable);
    assertThat(sent).as("the ring went round").isGreaterThan(10 * size);
  }

  private DeviceOnMemory deviceAt(DriverRing ring, int base, DeviceOnMemory before) {
    devices.remove(before);
    before.close();
    DeviceOnMemory device = deviceOf(ring);
    device.base(base);
    return device;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 100, 256})
  void everyFrameForTheGuestArrivesOnceAndInOrder(int size) {
    long seed = 4711L + size;
    SplittableRandom random = new SplittableRandom(seed);
    DriverRing ring = DriverRing.create(ram, true, size, size);
    DeviceOnMemory device = deviceOf(ring);
    int given = 0;
    int received = 0;
    for (int step = 0; step < 30_000; step++) {
      if (random.nextBoolean()) {
        while (ring.freeCount() > 0 && random.nextInt(3) != 0) {
          long buffer = BUFFERS + ring.nextHead() * 64L;
          int parts = Math.min(ring.freeCount(), random.nextInt(1, 4));
          DriverRing.Part[] chain = new DriverRing.Part[parts];
          for (int i = 0; i < parts; i++) {
            chain[i] = new DriverRing.Part(buffer + (long) i * PART, PART, true);
          }
          ring.post(chain);
        }
      } else {
        byte[] frame = ByteBuffer.allocate(1 + random.nextInt(4, PART)).putInt(1, given).array();
        if (device.give(frame)) {
          given++;
        }
      }
      DriverRing.Used used = random.nextInt(3) == 0 ? ring.takeUsed() : null;
      if (used != null) {
        byte[] frame = ram.read(BUFFERS + used.head() * 64L, used.length());
        assertThat(ByteBuffer.wrap(frame).getInt(1))
            .as("seed %d, step %d", seed, step)
            .isEqualTo(received++);
        ring.release(used.head());
      }
      if (random.nextInt(50) == 0) {
        ring = DriverRing.attach(ram, ring.block());
        device = deviceAt(ring, device.base(), device);
      }
    }
    assertThat(given).as("the ring went round").isGreaterThan(10 * size);
    assertThat(given - received).isBetween(0, size);
  }

  @Test
  void bothSidesRunAtTheSameTime() throws Exception {
    int frames = 200_000;
    DriverRing ring = DriverRing.create(ram, true, 7, 7);
    DeviceOnMemory device = deviceOf(ring);
    Deadline deadline = Deadline.in(60, TimeUnit.SECONDS);
    CompletableFuture<Integer> arrived = new CompletableFuture<>();
    Thread other =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              try {
                int next = 0;
                while (next < frames && !deadline.expired()) {
                  for (byte[] frame : device.take(3)) {
                    assertThat(Integer.reverseBytes(ByteBuffer.wrap(frame).getInt()))
                        .isEqualTo(next++);
                  }
                  Thread.onSpinWait();
                }
                arrived.complete(next);
              } catch (Throwable e) {
                arrived.completeExceptionally(e);
              }
            });
    int sent = 0;
    int back = 0;
    while (back < frames && !deadline.expired() && !arrived.isCompletedExceptionally()) {
      if (sent < frames && ring.freeCount() > 0) {
        long buffer = BUFFERS + (long) ring.nextHead() * PART;
        memory.putInt(buffer, sent++);
        ring.post(new DriverRing.Part(buffer, 4, false));
      }
      for (DriverRing.Used used = ring.takeUsed(); used != null; used = ring.takeUsed()) {
        ring.release(used.head());
        back++;
      }
    }
    assertThat(arrived.get(60, TimeUnit.SECONDS)).isEqualTo(frames);
    assertThat(back).isEqualTo(frames);
    other.join(TimeUnit.SECONDS.toMillis(10));
  }

  @Test
  void aBatchIsSeenAtOnceOrNotAtAll() {
    DriverRing ring = DriverRing.create(ram, true, 7, 7);
    DeviceOnMemory device = deviceOf(ring);
    ring.post(OUT);
    ring.post(OUT);
    assertThat(device.seenInABatch(() -> ring.takeUsed() != null)).containsExactly(false, true);
    assertThat(ring.takeUsed()).isNotNull();
    assertThat(device.descriptorWrites()).containsExactlyInAnyOrder(ring.desc(), ring.desc() + 16);
  }

  @Test
  void bothSidesSayWhetherTheyWantToBeNotified() {
    DriverRing ring = DriverRing.create(ram, true, 7, 7);
    DeviceOnMemory device = deviceOf(ring);
    assertThat(ring.needsKick()).isTrue();
    assertThat(device.wantsCall()).isTrue();
    ring.wantInterrupts(false);
    assertThat(device.wantsCall()).isFalse();
    ring.wantInterrupts(true);
    assertThat(device.wantsCall()).isTrue();
    device.askForKicks();
    assertThat(device.areaWrites()).as("nothing changed").isEmpty();
    // As a device leaves it that polls.
    memory.putShort(ring.used() + 2, (short) 1);
    assertThat(ring.needsKick()).isFalse();
    device.askForKicks();
    assertThat(ring.needsKick()).isTrue();
    assertThat(device.areaWrites()).containsExactly(ring.used());
  }

  @Test
  void aBaseHasBothIndexesAndBothWrapCounters() {
    DriverRing ring = DriverRing.create(ram, true, 3, 3);
    DeviceOnMemory device = deviceOf(ring);
    assertThat(device.base()).isEqualTo(0x8000_8000);
    ring.post(OUT, OUT);
    device.take(1);
    assertThat(device.base()).isEqualTo(0x8002_8002);
    ring.release(Objects.requireNonNull(ring.takeUsed()).head());
    ring.post(OUT, OUT);
    device.take(1);
    assertThat(device.base()).as("wrapped").isEqualTo(0x0001_0001);
  }

  @Test
  void aDeviceThatTalksNonsenseIsNotBelieved() {
    DriverRing ring = DriverRing.create(ram, true, 8, 8);
    int id = ring.post(IN);
    memory.putShort(ring.desc() + 12, (short) (id + 1));
    memory.putShort(ring.desc() + 14, (short) 0x8082);
    assertThatThrownBy(ring::takeUsed).hasMessageContaining("has not");
    memory.putShort(ring.desc() + 12, (short) -1);
    assertThatThrownBy(ring::takeUsed).isInstanceOf(VhostException.class);
    memory.putShort(ring.desc() + 12, (short) id);
    assertThat(ring.takeUsed()).isNotNull();
    // The same buffer once more, before it was released.
    memory.putShort(ring.desc() + 28, (short) id);
    memory.putShort(ring.desc() + 30, (short) 0x8082);
    assertThatThrownBy(ring::takeUsed).isInstanceOf(VhostException.class);
  }

  @Test
  void aRingThatIsFullRefuses() {
    DriverRing ring = DriverRing.create(ram, true, 5, 3);
    assertThat(ring.post(OUT, IN)).isNotNegative();
    assertThat(ring.post(OUT, IN)).isEqualTo(-1);
    assertThat(ring.post(OUT)).isNotNegative();
    assertThat(ring.post(OUT)).isEqualTo(-1);
  }

  @Test
  void garbageIsNoRing() {
    DriverRing ring = DriverRing.create(ram, true, 8, 8);
    memory.putShort(ring.block() + 6, (short) 8);
    assertThatThrownBy(() -> DriverRing.attach(ram, ring.block()))
        .isInstanceOf(VhostException.class);
    memory.putShort(ring.block() + 6, (short) 0);
    memory.putLong(ring.block() + 8, 4 << 20);
    assertThatThrownBy(() -> DriverRing.attach(ram, ring.block()))
        .isInstanceOf(VhostException.class);
    assertThatThrownBy(() -> DriverRing.attach(ram, 0x7000)).hasMessageContaining("of kind 0");
    assertThatThrownBy(() -> DriverRing.create(ram, true, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void hostileDescriptorsGiveAnErrorAndNeverAnEndlessWalk() {
    DriverRing ring = DriverRing.create(ram, true, 8, 8);
    DeviceOnMemory device = deviceOf(ring);
    for (int i = 0; i < 8; i++) {
      memory.putShort(ring.desc() + 16L * i + 14, (short) 0x81);
    }
    assertThatThrownBy(device::lookAhead).hasMessageContaining("without an end");
    memory.putShort(ring.desc() + 14, (short) 0x84);
    assertThatThrownBy(device::lookAhead).hasMessageContaining("indirect");
    memory.putShort(ring.desc() + 14, (short) 0x80);
    memory.putInt(ring.desc() + 8, -1);
    assertThatThrownBy(device::lookAhead).hasMessageContaining("4294967295 bytes");
    device.base(0x8008_8008);
    assertThatThrownBy(device::lookAhead).hasMessageContaining("has base 8 and used 8");
  }

  @Test
  void randomDescriptorsGiveAnErrorOrNothing() {
    long seed = 7;
    SplittableRandom random = new SplittableRandom(seed);
    DriverRing ring = DriverRing.create(ram, true, 7, 7);
    DeviceOnMemory device = deviceOf(ring);
    byte[] noise = new byte[16 * 7];
    int failures = 0;
    for (int i = 0; i < 20_000; i++) {
      random.nextBytes(noise);
      // Sometimes with addresses and lengths that are right, or all would end at the first.
      for (int d = 0; d < 7 && i % 2 == 0; d++) {
        ByteBuffer.wrap(noise).putLong(16 * d, Long.reverseBytes(BUFFERS)).putInt(16 * d + 8, 0);
      }
      ram.write(ring.desc(), noise);
      device.base(random.nextInt() & 0x8007_8007);
      try {
        device.take(20);
      } catch (VhostException e) {
        failures++;
      }
    }
    assertThat(failures).isGreaterThan(1000);
  }

  @Test
  void commandsOfTheControlQueueAreAnswered() {
    long block = ram.allocate(ControlQueue.BLOCK, 64);
    Dma dma = new Dma(DmaMode.GUEST_ADDRESSES, null);
    ControlQueue control = ControlQueue.create(ram, block, true, dma);
    DeviceOnMemory device = deviceOf(control.ring());
    for (int i = 0; i < 40; i++) {
      boolean accepted = i % 3 != 0;
      control.post(ControlQueue.Kind.SET_PAIRS, i, new ControlCommand.QueuePairs(i));
      control = ControlQueue.attach(ram, block, dma);
      assertThat(control.poll()).isNull();
      assertThat(device.answer(accepted ? 0 : 1)).containsExactly(4, 0, i, 0);
      assertThat(control.poll())
          .isEqualTo(new ControlQueue.Done(ControlQueue.Kind.SET_PAIRS, i, accepted));
      assertThat(control.underWay()).isEqualTo(ControlQueue.Kind.NONE);
    }
  }
}
