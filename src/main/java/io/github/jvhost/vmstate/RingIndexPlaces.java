package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Where in a section's body the ring indexes are: what a guest that only sends and receives moves,
 * between the early section and the final one, and nothing else.
 *
 * <pre>
 *   vq[i]                                    packed_virtqueues vq[i], where the host offers them
 *   | ... desc | last_avail_idx u16 | ... |  | avail u16 | wrap u8 | used u16 | wrap u8 | inuse u32 |
 *                ~~~~~~~~~~~~~~                ~~~~~~~~~   ~~~~~~~   ~~~~~~~~   ~~~~~~~
 * </pre>
 *
 * <p>A split ring's index is repeated as {@code avail} where the host offers packed rings.
 *
 * <p>Immutable, and so thread-safe. Nothing that looks at a body makes an object.
 */
public final class RingIndexPlaces {
  private static final int NONE = -1;
  private static final int PACKED_BYTES = 6;
  private static final int WRAP = 0x8000;
  private static final int INDEX = 0x7fff;

  private final int[] next;
  private final int[] packed;
  private final int[] sizes;
  private final boolean packedRings;

  private RingIndexPlaces(int[] next, int[] packed, int[] sizes, boolean packedRings) {
    this.next = next;
    this.packed = packed;
    this.sizes = sizes;
    this.packedRings = packedRings;
  }

  /**
   * {@return the places in the body of a state, as {@link VirtioNetVmState#encode} writes it}
   *
   * @param state bodies with other rings, or with other features, have other places
   */
  public static RingIndexPlaces of(VirtioNetState state) {
    Layout.Structure section = VirtioNetVmState.layout(DeviceRecord.Kind.FINAL, state);
    var body = (Layout.Structure) section.fields().getFirst().layout();
    int rings = state.queueCount();
    int[] next = new int[rings];
    int[] packed = new int[rings];
    int[] sizes = new int[rings];
    if (rings == 0) {
      return new RingIndexPlaces(next, packed, sizes, false);
    }
    int vq = offsetOf(body.fields(), "vq");
    var element = (Layout.Structure) array(body.fields(), "vq").element();
    int within = offsetOf(element.fields(), "last_avail_idx");
    int packedVq = packedOffset(body);
    for (int i = 0; i < rings; i++) {
      // One that was never set up has no index, and cannot get one without other changes.
      boolean setUp = state.queue(i).desc() != 0;
      next[i] = setUp ? vq + i * (int) element.size() + within : NONE;
      packed[i] = setUp && packedVq != NONE ? packedVq + i * packedSize(body) : NONE;
      sizes[i] = state.queue(i).size();
    }
    return new RingIndexPlaces(
        next, packed, sizes, NetFeature.RING_PACKED.in(state.common().features()));
  }

  private static int packedOffset(Layout.Structure body) {
    long at = sum(body.fields());
    for (Layout.Structure subsection : body.subsections()) {
      at += Layout.SUBSECTION_HEADER + subsection.name().length();
      if (subsection.name().equals("virtio/packed_virtqueues")) {
        return (int) at + offsetOf(subsection.fields(), "vq");
      }
      at += subsection.size();
    }
    return NONE;
  }

  private static int packedSize(Layout.Structure body) {
    for (Layout.Structure subsection : body.subsections()) {
      if (subsection.name().equals("virtio/packed_virtqueues")) {
        return (int) array(subsection.fields(), "vq").element().size();
      }
    }
    throw new IllegalStateException("no packed rings are offered");
  }

  private static int offsetOf(List<Layout.Named> fields, String name) {
    long at = 0;
    for (Layout.Named field : fields) {
      if (field.name().equals(name)) {
        return (int) at;
      }
      at += field.layout().size();
    }
    throw new IllegalStateException("no field " + name);
  }

  private static Layout.Array array(List<Layout.Named> fields, String name) {
    for (Layout.Named field : fields) {
      if (field.name().equals(name) && field.layout() instanceof Layout.Array array) {
        return array;
      }
    }
    throw new IllegalStateException("no array " + name);
  }

  private static long sum(List<Layout.Named> fields) {
    return fields.stream().mapToLong(f -> f.layout().size()).sum();
  }

  /** {@return how many rings the device has, the control ring being the last} */
  public int rings() {
    return next.length;
  }

  /**
   * Makes the indexes of one body those of another. What was different in nothing else is the same
   * afterwards.
   *
   * @param from where the other body begins, in bytes
   * @param other holds it
   * @param to where this body begins
   * @param body is written to, with absolute indexes
   */
  public void copy(int from, ByteBuffer other, int to, ByteBuffer body) {
    for (int i = 0; i < next.length; i++) {
      if (next[i] != NONE) {
        body.putShort(to + next[i], other.getShort(from + next[i]));
      }
      if (packed[i] != NONE) {
        for (int k = packed[i]; k < packed[i] + PACKED_BYTES; k++) {
          body.put(to + k, other.get(from + k));
        }
      }
    }
  }

  /**
   * {@return whether a ring's indexes are some that a device can have: what a decoder would have
   * refused is left to it}
   *
   * @param ring its index, from 0
   * @param at where the body begins, in bytes
   * @param body in big-endian order
   */
  public boolean isSound(int ring, int at, ByteBuffer body) {
    if (packed[ring] == NONE) {
      return true;
    }
    int place = at + packed[ring];
    int avail = body.getShort(place) & 0xffff;
    int availWrap = body.get(place + 2);
    int used = body.getShort(place + 3) & 0xffff;
    int usedWrap = body.get(place + 5);
    boolean wraps = (availWrap & ~1) == 0 && (usedWrap & ~1) == 0;
    int split = body.getShort(at + next[ring]) & 0xffff;
    return packedRings
        ? wraps && avail == split && Math.max(avail, used) < sizes[ring]
        : availWrap == 1 && used == 0 && usedWrap == 1 && avail == split;
  }

  /**
   * {@return where the device goes on in a ring, in the encoding of SET_VRING_BASE}
   *
   * @param ring its index, from 0
   * @param at where the body begins, in bytes
   * @param body in big-endian order
   */
  public int base(int ring, int at, ByteBuffer body) {
    boolean unsaved = packedRings && packed[ring] == NONE; // such rings begin anew
    if (next[ring] == NONE || unsaved) {
      return packedRings ? WRAP | (WRAP << 16) : 0;
    }
    if (!packedRings) {
      return body.getShort(at + next[ring]) & 0xffff;
    }
    int place = at + packed[ring];
    int avail = (body.getShort(place) & INDEX) | (body.get(place + 2) == 0 ? 0 : WRAP);
    int used = (body.getShort(place + 3) & INDEX) | (body.get(place + 5) == 0 ? 0 : WRAP);
    return avail | (used << 16);
  }

  /**
   * Puts an index there: of what is moved by {@link #copy} this is the other direction.
   *
   * @param ring its index, from 0; one that was never set up stays as it is
   * @param base in the encoding of SET_VRING_BASE
   * @param at where the body begins, in bytes
   * @param body in big-endian order, written to with absolute indexes
   */
  public void base(int ring, int base, int at, ByteBuffer body) {
    if (next[ring] == NONE) {
      return;
    }
    int avail = packedRings ? base & INDEX : base & 0xffff;
    body.putShort(at + next[ring], (short) avail);
    if (packed[ring] != NONE) {
      int place = at + packed[ring];
      body.putShort(place, (short) avail);
      if (packedRings) {
        body.put(place + 2, (byte) (base >>> 15 & 1));
        body.putShort(place + 3, (short) (base >>> 16 & INDEX));
        body.put(place + 5, (byte) (base >>> 31));
      }
    }
  }
}
