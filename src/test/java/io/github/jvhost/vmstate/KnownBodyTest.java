package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With a known body the same is read and written as without one. */
class KnownBodyTest {
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
          !state.offer().ringPacked()
              ? SavedQueue.Packed.START
              : packed
                  ? new SavedQueue.Packed(
                      next,
                      random.nextBoolean(),
                      random.nextInt(Math.min(q.size(), 0x8000)),
                      random.nextBoolean(),
                      random.nextInt(2))
                  : new SavedQueue.Packed(next, true, 0, true, q.packed().inUse());
      moved = moved.withQueue(i, q.withIndexes(next, indexes));
    }
    return moved;
  }

  /** A body at the end of something larger, and whether it became another state's. */
  private record Written(Bytes bytes, boolean done) {
    static Written of(VirtioNetState first, VirtioNetState... others) {
      byte[] body = VirtioNetVmState.encode(first);
      ByteBuffer place = ByteBuffer.allocateDirect(5 + body.length).put(5, body).position(5);
      KnownBody known = KnownBody.in(first, place);
      boolean done = true;
      for (VirtioNetState other : others) {
        done = known.write(other);
      }
      place.get(5, body);
      return new Written(Bytes.copyOf(body), done);
    }
  }

  /** What is read of a body, or in what words it is refused. */
  private static Object read(KnownBody known, byte[] body, VirtioNetState like) {
    ByteBuffer shifted = ByteBuffer.allocate(5 + body.length).put(5, body).position(5);
    try {
      return known.read(shifted, SectionShape.of(like));
    } catch (VmStateException e) {
      return String.valueOf(e.getMessage());
    }
  }

  private static Object decoded(byte[] body, VirtioNetState like) {
    try {
      return VirtioNetVmState.decode(ByteBuffer.wrap(body), SectionShape.of(like));
    } catch (VmStateException e) {
      return String.valueOf(e.getMessage());
    }
  }

  @Test
  void statesThatDifferInRingIndexes() {
    for (long seed = 0; seed < 400; seed++) {
      var random = new SplittableRandom(seed);
      VirtioNetState early = new RandomStates(seed).next();
      KnownBody known = KnownBody.of(early);
      for (VirtioNetState last : new VirtioNetState[] {moved(early, random), early}) {
        byte[] body = VirtioNetVmState.encode(last);
        Written written = Written.of(early, moved(early, random), last);
        assertThat(written.done()).as("seed %d", seed).isTrue();
        assertThat(written.bytes().toArray()).as("seed %d", seed).isEqualTo(body);
        assertThat(read(known, body, early)).as("seed %d", seed).isEqualTo(last);
      }
    }
  }

  @Test
  void statesThatDifferInAnything() {
    for (long seed = 0; seed < 400; seed++) {
      VirtioNetState early = new RandomStates(seed).next();
      VirtioNetState last = new RandomStates(seed + 1000).next();
      KnownBody known = KnownBody.of(early);
      byte[] body = VirtioNetVmState.encode(last);

      Written written = Written.of(early, last);
      assertThat(written.done()).as("seed %d", seed).isFalse();
      assertThat(written.bytes().toArray())
          .as("seed %d", seed)
          .isEqualTo(VirtioNetVmState.encode(early));
      assertThat(read(known, body, last)).as("seed %d", seed).isEqualTo(decoded(body, last));
      assertThat(read(known, body, early)).as("seed %d", seed).isEqualTo(decoded(body, early));
    }
  }

  @Test
  void damagedBodies() {
    for (long seed = 0; seed < 400; seed++) {
      var random = new SplittableRandom(seed);
      VirtioNetState early = new RandomStates(seed).next();
      KnownBody known = KnownBody.of(early);
      byte[] body = VirtioNetVmState.encode(moved(early, random));
      for (int i = random.nextInt(3); i >= 0; i--) {
        body[random.nextInt(random.nextBoolean() ? 200 : body.length)] = (byte) random.nextInt();
      }

      assertThat(read(known, body, early)).as("seed %d", seed).isEqualTo(decoded(body, early));
    }
  }

  /** Index and packed index of a split ring say the same; a decoder takes note of both. */
  @Test
  void indexesThatContradictEachOther() {
    for (long seed = 0; seed < 400; seed++) {
      VirtioNetState state = moved(new RandomStates(seed).next(), new SplittableRandom(seed));
      KnownBody known = KnownBody.of(state);
      for (int ring = 0; ring < state.queueCount(); ring++) {
        SavedQueue queue = state.queue(ring);
        if (queue.desc() != 0) {
          VirtioNetState last = state.withQueue(ring, queue.withNext(queue.next() ^ 1));
          byte[] body = VirtioNetVmState.encode(last);
          assertThat(read(known, body, state)).as("seed %d", seed).isEqualTo(last);
          assertThat(Written.of(state, last).bytes().toArray()).as("seed %d", seed).isEqualTo(body);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"d_pc_packed.0.bin.gz", Fixtures.PCI_MODERN, "c_pc_mq4.0.bin.gz"})
  void qemusOwnSections(String name) {
    byte[] section = Fixtures.load(name);
    SectionShape shape = SectionShape.pci(name.startsWith("c_") ? 4 : 1, 256);
    VirtioNetState state = VirtioNetVmState.decode(ByteBuffer.wrap(section), shape);
    KnownBody known = KnownBody.of(state);
    assertThat(known.read(ByteBuffer.wrap(section), shape)).isEqualTo(state);
    assertThat(Written.of(state, state).bytes().toArray()).isEqualTo(section);

    VirtioNetState later = state;
    for (int ring = 0; ring < state.queueCount(); ring++) {
      SavedQueue queue = state.queue(ring);
      later =
          queue.desc() == 0 ? later : later.withQueue(ring, queue.withNext(queue.next() ^ 0x55));
    }
    byte[] body = VirtioNetVmState.encode(later);
    assertThat(Written.of(state, later).bytes().toArray()).isEqualTo(body);
    assertThat(known.read(ByteBuffer.wrap(body), shape)).isEqualTo(later);
  }
}
