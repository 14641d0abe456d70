package io.github.jvhost.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.RandomStates;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** An early record and where its rings have moved make the final state. */
class MovedRingsTest {
  private static final int BYTES_OF_A_RING = 12;

  /** The same device, whose guest has moved the indexes of all its rings. */
  private static VirtioNetState moved(VirtioNetState state, SplittableRandom random) {
    VirtioNetState moved = state;
    boolean packed = NetFeature.RING_PACKED.in(state.common().features());
    for (int i = 0; i < state.queueCount(); i++) {
      SavedQueue q = state.queue(i);
      if (q.desc() == 0) {
        continue;
      }
      int next = random.nextInt(packed ? Math.min(q.size(), 0x8000) : 0x10000);
      SavedQueue.Packed indexes =
          state.offer().ringPacked()
              ? new SavedQueue.Packed(
                  next,
                  random.nextBoolean(),
                  random.nextInt(Math.min(q.size(), 0x8000)),
                  random.nextBoolean(),
                  random.nextInt(2))
              : SavedQueue.Packed.START;
      moved = moved.withQueue(i, q.withIndexes(next, indexes));
    }
    return moved;
  }

  private static MovedRings sent(MovedRings rings) {
    MessageBody out = MessageBody.toWrite();
    rings.write(out);
    return MovedRings.read(MessageBody.toRead(out.bytes().flip()));
  }

  @Test
  void aDeviceThatHasOnlyMovedItsRings() {
    for (long seed = 0; seed < 400; seed++) {
      VirtioNetState early = new RandomStates(seed).next();
      VirtioNetState last = moved(early, new SplittableRandom(seed));

      MovedRings rings = Objects.requireNonNull(MovedRings.between(early, last));

      assertThat(sent(rings).from(early)).as("seed %d", seed).isEqualTo(last);
      MessageBody out = MessageBody.toWrite();
      rings.write(out);
      assertThat(out.bytes().position()).isEqualTo(2 + BYTES_OF_A_RING * last.queueCount());
    }
  }

  @Test
  void aDeviceThatHasChangedInAnythingElse() {
    for (long seed = 0; seed < 400; seed++) {
      VirtioNetState early = new RandomStates(seed).next();
      VirtioNetState last = new RandomStates(seed + 1000).next();

      assertThat(MovedRings.between(early, last)).as("seed %d", seed).isNull();
    }
  }

  @Test
  void indexesOfAnotherDeviceOrOfNone() {
    for (long seed = 0; seed < 2_000; seed++) {
      var random = new SplittableRandom(seed);
      VirtioNetState early = new RandomStates(seed).next();
      int count = random.nextBoolean() ? early.queueCount() : random.nextInt(10);
      byte[] bytes = new byte[2 + BYTES_OF_A_RING * count];
      random.nextBytes(bytes);
      ByteBuffer body = ByteBuffer.wrap(bytes).putShort(0, (short) count);
      MovedRings rings = MovedRings.read(MessageBody.toRead(body));
      try {
        assertThat(MovedRings.between(early, rings.from(early))).isEqualTo(rings);
      } catch (MigrationException e) {
        assertThat(e).hasMessageContaining("rings");
      }
    }
  }

  @Test
  void moreRingsThanAnyDeviceHas() {
    ByteBuffer body = ByteBuffer.allocate(2).putShort(0, (short) 1025);

    assertThatThrownBy(() -> MovedRings.read(MessageBody.toRead(body)))
        .hasMessageContaining("1025 rings");
    assertThat(sent(new MovedRings(List.of())).rings()).isEmpty();
  }
}
