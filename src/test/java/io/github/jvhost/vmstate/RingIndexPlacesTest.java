package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is patched in a body is what a decoder finds there. */
class RingIndexPlacesTest {
  private static final int BEFORE = 5;

  private static ByteBuffer body(VirtioNetState state) {
    byte[] body = VirtioNetVmState.encode(state);
    return ByteBuffer.allocate(BEFORE + body.length).put(BEFORE, body).clear();
  }

  private static VirtioNetState decoded(ByteBuffer body, VirtioNetState like) {
    return VirtioNetVmState.decode(
        body.duplicate().position(BEFORE).slice(), SectionShape.of(like));
  }

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
                      q.packed().inUse())
                  : new SavedQueue.Packed(next, true, 0, true, q.packed().inUse());
      moved =
          moved.withQueue(
              i,
              new SavedQueue(
                  q.size(),
                  q.defaultSize(),
                  q.align(),
                  q.desc(),
                  next,
                  q.vector(),
                  q.avail(),
                  q.used(),
                  indexes,
                  q.proxy()));
    }
    return moved;
  }

  private static int baseOf(SavedQueue q, boolean packed) {
    SavedQueue.Packed p = q.packed();
    RingIndex index =
        packed
            ? q.desc() == 0
                ? RingIndex.start(true)
                : RingIndex.packed(p.avail(), p.availWrap(), p.used(), p.usedWrap())
            : RingIndex.split(q.next());
    return index.toVhostBase();
  }

  @Test
  void indexesOfAnyStateAreCopiedReadAndWrittenWhereTheyAre() {
    for (long seed = 0; seed < 400; seed++) {
      var random = new SplittableRandom(seed);
      VirtioNetState early = moved(new RandomStates(seed).next(), random);
      VirtioNetState last = moved(early, random);
      boolean packed = NetFeature.RING_PACKED.in(early.common().features());
      if (packed && !early.offer().ringPacked()) {
        continue; // a driver cannot have packed rings that its host does not offer
      }
      RingIndexPlaces places = RingIndexPlaces.of(early);
      ByteBuffer expected = body(early);
      ByteBuffer came = body(last);

      places.copy(BEFORE, came, BEFORE, expected);

      assertThat(decoded(expected, early)).as("seed %d", seed).isEqualTo(last);
      ByteBuffer written = body(early);
      for (int ring = 0; ring < places.rings(); ring++) {
        assertThat(places.isSound(ring, BEFORE, came)).as("seed %d ring %d", seed, ring).isTrue();
        int base = baseOf(last.queue(ring), packed);
        assertThat(places.base(ring, BEFORE, came))
            .as("seed %d ring %d", seed, ring)
            .isEqualTo(base);
        places.base(ring, base, BEFORE, written);
      }
      assertThat(decoded(written, early)).as("seed %d, written", seed).isEqualTo(last);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"d_pc_packed.0.bin.gz", Fixtures.PCI_MODERN, "c_pc_mq4.0.bin.gz"})
  void inQemusOwnSections(String name) {
    byte[] section = Fixtures.load(name);
    VirtioNetState state =
        VirtioNetVmState.decode(
            ByteBuffer.wrap(section), SectionShape.pci(name.startsWith("c_") ? 4 : 1, 256));
    RingIndexPlaces places = RingIndexPlaces.of(state);
    ByteBuffer body = ByteBuffer.wrap(section.clone());
    for (int ring = 0; ring < places.rings(); ring++) {
      int index = state.queue(ring).next();
      assertThat(places.base(ring, 0, body) & 0xffff).isEqualTo(index);
      if (state.queue(ring).desc() != 0) {
        places.base(ring, index ^ 0x55, 0, body);
      }
    }
    VirtioNetState patched = VirtioNetVmState.decode(body, SectionShape.of(state));
    for (int ring = 0; ring < places.rings(); ring++) {
      SavedQueue before = state.queue(ring);
      assertThat(patched.queue(ring).next())
          .isEqualTo(before.desc() == 0 ? before.next() : before.next() ^ 0x55);
    }
  }

  /** What a decoder would refuse, or would not take for the same thing, is not sound. */
  @Test
  void indexesBeyondTheRingOrThatContradictEachOtherAreLeftToTheDecoder() {
    for (long seed = 0; seed < 400; seed++) {
      VirtioNetState state = moved(new RandomStates(seed).next(), new SplittableRandom(seed));
      RingIndexPlaces places = RingIndexPlaces.of(state);
      if (!state.offer().ringPacked()) {
        continue;
      }
      for (int ring = 0; ring < places.rings(); ring++) {
        if (state.queue(ring).desc() != 0) {
          ByteBuffer body = body(state);
          int index = places.base(ring, BEFORE, body) & 0x7fff;
          places.base(ring, index, BEFORE, body);
          ByteBuffer split = body(state.withQueue(ring, state.queue(ring).withNext(index ^ 1)));
          assertThat(places.isSound(ring, BEFORE, split)).as("seed %d", seed).isFalse();
        }
      }
    }
  }
}
