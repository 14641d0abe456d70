package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PackedControlQueueTest {
  private static final long HINTS =
      NetFeature.maskOf(NetFeature.INDIRECT_DESC, NetFeature.EVENT_IDX);
  private static final int SIZE = 8;

  private final VirtioNet device = newDevice();
  private final List<DeviceChange> changes = new ArrayList<>();
  private PackedControlGuest guest = live(device.deviceFeatures() & ~HINTS);

  private static VirtioNet newDevice() {
    return VirtioNet.builder("net0")
        .maxQueuePairs(4)
        .deviceFeatures(
            VirtioNetBuilder.DEFAULT_FEATURES
                | HINTS
                | NetFeature.maskOf(
                    NetFeature.RING_PACKED, NetFeature.RING_RESET, NetFeature.CTRL_RX_EXTRA))
        .build();
  }

  private PackedControlGuest live(long features) {
    PackedControlGuest live = new PackedControlGuest(device, features, SIZE);
    device.onChange(changes::add);
    return live;
  }

  private void renegotiate(long features) {
    guest.close();
    device.setStatus(0);
    guest = new PackedControlGuest(device, features, SIZE);
    changes.clear();
  }

  @AfterEach
  void close() {
    guest.close();
    assertThat(guest.ledger.openCount()).isZero();
  }

  @Test
  void aCommandIsExecutedAndItsBufferGivenBack() {
    assertThat(device.packed()).isTrue();
    assertThat(guest.command(4, 0, 3, 0)).isEqualTo(NetControl.OK);
    assertThat(device.currentQueuePairs()).isEqualTo(3);
    assertThat(changes).containsExactly(DeviceChange.QUEUE_PAIRS, DeviceChange.CONTROL_USED);
    assertThat(device.queue(8).next()).isEqualTo(RingIndex.packed(2, true, 2, true));

    assertThat(guest.command(4, 0, 9, 0)).isEqualTo(NetControl.ERR);
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
  }

  @Test
  void chainsOfAnyLengthGoAroundTheRing() {
    for (int i = 0; i < 200; i++) {
      int descriptors = 2 + i % 4;
      assertThat(guest.commandIn(descriptors, 4, 0, 1 + i % 4, 0)).isEqualTo(NetControl.OK);
      assertThat(device.currentQueuePairs()).isEqualTo(1 + i % 4);
      assertThat(device.queue(8).next()).isEqualTo(guest.index());
    }
  }

  @Test
  void severalCommandsAreServedInOneCall() {
    int[] ids = {guest.post(2, 0, 1, 1), guest.post(2, 0, 1, 1), guest.post(4, 0, 1, 1)};
    assertThat(device.serviceControlQueue(guest.memory)).isEqualTo(3);
    guest.takeUsed(ids[0], 2);
    guest.takeUsed(ids[1], 2);
    guest.takeUsed(ids[2], 4);
    assertThat(device.queue(8).next()).isEqualTo(RingIndex.packed(0, false, 0, false));
  }

  @Test
  void notificationsAreAskedFor() {
    // As a host may have left it that the ring came from.
    guest.memory.putInt(PackedControlGuest.DEVICE_EVENT, 1 << 16);
    guest.command(0, 1, 1);
    assertThat(guest.memory.getInt(PackedControlGuest.DEVICE_EVENT)).as("always").isZero();

    renegotiate(device.deviceFeatures() & ~NetFeature.INDIRECT_DESC.mask());
    guest.command(0, 1, 1);
    assertThat(guest.memory.getInt(PackedControlGuest.DEVICE_EVENT))
        .as("at offset 2, first round")
        .isEqualTo(2 << 16 | 1 << 15 | 2);
    for (int i = 0; i < 3; i++) {
      guest.command(0, 1, 1);
    }
    assertThat(guest.memory.getInt(PackedControlGuest.DEVICE_EVENT))
        .as("at offset 0, second round")
        .isEqualTo(2 << 16);
  }

  @Test
  void anIndirectTable() {
    postIndirect(2);
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    assertThat(device.whyBroken()).hasValue("control ring: an indirect table was not negotiated");

    renegotiate(device.deviceFeatures() & ~NetFeature.EVENT_IDX.mask());
    postIndirect(2);
    assertThat(device.serviceControlQueue(guest.memory)).isEqualTo(1);
    assertThat(device.currentQueuePairs()).isEqualTo(2);
    assertThat(device.queue(8).next()).isEqualTo(RingIndex.packed(1, true, 1, true));

    for (int length : new int[] {0, 17, 16 * 1025}) {
      renegotiate(device.deviceFeatures());
      guest.descriptor(
          0,
          PackedControlGuest.TABLE,
          length,
          7,
          PackedControlGuest.INDIRECT | guest.availableFlags());
      assertThat(device.serviceControlQueue(guest.memory)).isZero();
      assertThat(device.whyBroken()).hasValue("control ring: an indirect table is malformed");
    }
  }

  private void postIndirect(int pairs) {
    guest.memory.copyIn(PackedControlGuest.COMMAND, new byte[] {4, 0, (byte) pairs, 0});
    long table = (PackedControlGuest.TABLE - PackedControlGuest.DESC) / 16;
    guest.descriptor((int) table, PackedControlGuest.COMMAND, 4, 0, 0);
    guest.descriptor((int) table + 1, PackedControlGuest.ACK, 1, 0, PackedControlGuest.WRITE);
    guest.descriptor(
        0, PackedControlGuest.TABLE, 32, 7, PackedControlGuest.INDIRECT | guest.availableFlags());
  }

  @Test
  void aChainLongerThanItsRing() {
    for (int i = 0; i < SIZE; i++) {
      guest.descriptor(
          i, PackedControlGuest.COMMAND, 2, i, PackedControlGuest.NEXT | guest.availableFlags());
    }
    breaks("longer than its ring of 8");
  }

  @Test
  void aBufferOutsideOfMemory() {
    guest.descriptor(
        0, 0x7FFF_FFFF_FFFF_FFF0L, 4, 0, PackedControlGuest.NEXT | guest.availableFlags());
    breaks("is not within one memory region");
  }

  @Test
  void aCommandWithoutAnswer() {
    guest.descriptor(0, PackedControlGuest.COMMAND, 4, 0, guest.availableFlags());
    breaks("no room for its answer");
  }

  @Test
  void anIndexBeyondTheRing() {
    device.setNextIndex(8, RingIndex.packed(SIZE, true, 0, true));
    breaks("a ring of 8 goes on at 8w/0w");
    device.setStatus(0);
    renegotiate(device.deviceFeatures());
    device.setNextIndex(8, RingIndex.packed(0, true, 32767, false));
    breaks("a ring of 8 goes on at 0w/32767");
  }

  private void breaks(String why) {
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    assertThat(device.broken()).isTrue();
    assertThat(device.whyBroken().orElseThrow()).contains(why);
    assertThat(changes).contains(DeviceChange.BROKEN);
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    device.setStatus(0);
    assertThat(device.whyBroken()).isEmpty();
  }

  /**
   * The device uses descriptors elsewhere than it takes them: those that it took stay available.
   */
  @Test
  void aRingThatIsNeverEmptyEnds() {
    device.setNextIndex(8, RingIndex.packed(0, true, 5, false));
    guest.memory.copyIn(PackedControlGuest.COMMAND, new byte[] {0, 1, 1});
    long inRing = PackedControlGuest.DESC + 14;
    for (int i = 0; i < SIZE; i += 2) {
      guest.descriptor(
          i, PackedControlGuest.COMMAND, 3, i, PackedControlGuest.NEXT | guest.availableFlags());
      // The answer goes into the ring, over the flags of the head of the same chain.
      guest.descriptor(
          i + 1, inRing + 16L * i, 1, i, PackedControlGuest.WRITE | guest.availableFlags());
    }
    assertThat(device.serviceControlQueue(guest.memory)).isLessThanOrEqualTo(ControlRing.MAX_BATCH);
  }

  @Test
  void nothingThatAGuestWritesCausesAnException() {
    long seed = 271828;
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 3000; round++) {
      renegotiate(device.deviceFeatures());
      for (int i = 0; i < SIZE; i++) {
        guest.descriptor(
            i,
            random.nextInt(8) == 0 ? random.nextLong() : random.nextInt(0x21000),
            random.nextInt(8) == 0 ? random.nextInt() : random.nextInt(300),
            random.nextInt(),
            random.nextInt(8)
                | (random.nextInt(4) == 0 ? random.nextInt(0x10000) : guest.availableFlags()));
      }
      byte[] noise = new byte[0x400];
      random.nextBytes(noise);
      guest.memory.copyIn(PackedControlGuest.COMMAND, noise);
      try {
        device.serviceControlQueue(guest.memory);
        device.snapshot();
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed + ", round " + round, e);
      }
    }
  }

  @Test
  void theRingGoesOnAtTheOtherEndOfAMigration() {
    SplittableRandom random = new SplittableRandom(5);
    for (int i = 0; i < 100; i++) {
      assertThat(guest.commandIn(2 + random.nextInt(4), 4, 0, 1 + i % 4, 0))
          .isEqualTo(NetControl.OK);
      VirtioNet other = guest.device().twin();
      VirtioNetState state = guest.device().snapshot();
      other.restore(state);
      assertThat(other.queue(8)).isEqualTo(guest.device().queue(8));
      assertThat(other.queue(8).next()).isEqualTo(guest.index());
      assertThat(other.snapshot()).isEqualTo(state);
      guest.device(other);
    }
  }

  @Test
  void aSavedIndexBeyondItsRingIsRefused() {
    device.setNextIndex(8, RingIndex.packed(3, true, SIZE, true));
    VirtioNetState state = device.snapshot();
    VirtioNet other = device.twin();
    assertThatThrownBy(() -> other.restore(state))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("ring 8 of 8 entries, which goes on beyond its end");
  }

  @Test
  void afterAResetOfTheRingItStartsAnew() {
    guest.command(0, 1, 1);
    assertThat(device.resetQueue(8)).isTrue();
    assertThat(changes).endsWith(DeviceChange.QUEUE_RESET);
    assertThat(device.queue(8).isSetUp()).isFalse();
    assertThat(device.queue(8).next()).isEqualTo(RingIndex.start(true));
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    guest.setUp();
    assertThat(guest.command(4, 0, 2, 0)).isEqualTo(NetControl.OK);
    assertThat(device.live()).isTrue();
  }

  /** The same commands, in a split and in a packed ring, have the same answers and effects. */
  @Test
  void packedAndSplitRingsAgree() {
    for (long seed = 1; seed <= 30; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      VirtioNet one = newDevice();
      VirtioNet two = newDevice();
      List<DeviceChange> changesOfOne = new ArrayList<>();
      List<DeviceChange> changesOfTwo = new ArrayList<>();
      long features = one.deviceFeatures() & (random.nextBoolean() ? -1L : ~HINTS);
      int size = 2 + random.nextInt(30);
      try (ControlGuest split = new ControlGuest(one, features & ~NetFeature.RING_PACKED.mask());
          PackedControlGuest packed = new PackedControlGuest(two, features, size)) {
        one.onChange(changesOfOne::add);
        two.onChange(changesOfTwo::add);
        for (int i = 0; i < 200; i++) {
          int[] command = command(random);
          int pieces = Math.min(size, 2 + random.nextInt(Math.min(3, command.length - 1)));
          assertThat(packed.commandIn(pieces, command))
              .as("seed %d, command %d", seed, i)
              .isEqualTo(split.command(command));
          assertThat(two.queue(8).next()).isEqualTo(packed.index());
        }
        assertThat(changesOfTwo).as("seed %d", seed).isEqualTo(changesOfOne);
        assertThat(two.snapshot().net()).as("seed %d", seed).isEqualTo(one.snapshot().net());
        assertThat(two.readConfig(0, 12)).isEqualTo(one.readConfig(0, 12));
        assertThat(two.broken()).isFalse();
      }
    }
  }

  private static int[] command(SplittableRandom random) {
    return switch (random.nextInt(6)) {
      case 0 -> new int[] {4, 0, random.nextInt(6), 0};
      case 1 -> new int[] {0, random.nextInt(7), random.nextInt(2)};
      case 2 -> new int[] {1, 1, 2, 0, 0, 0, 0, random.nextInt(3)};
      case 3 -> new int[] {2, random.nextInt(3), random.nextInt(256), random.nextInt(20)};
      case 4 -> new int[] {1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, random.nextInt(256), 0, 0, 0, 0};
      default -> {
        int[] any = new int[2 + random.nextInt(20)];
        for (int i = 0; i < any.length; i++) {
          any[i] = random.nextInt(i < 2 ? 7 : 256);
        }
        yield any;
      }
    };
  }
}
