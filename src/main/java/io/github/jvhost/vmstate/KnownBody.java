package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.SavedQueue.Packed;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A state with its encoded body. It is used to read and write other states of the same device
 * faster. A guest that only sends and receives changes ring indexes and nothing else. Such a state
 * is not decoded or encoded field by field: the indexes are copied, and the rest is compared.
 *
 * <pre>
 *   known   | ... | 80 | ... | 82   | ... |
 *   read    | ... | 97 | ... | 4711 | ... |   the known state with 97 and 4711: has it this body?
 *   write     ... , 97 , ... , 4711 , ...     the known state with 97 and 4711: is it this state?
 *
 *   vq[i]                                    packed_virtqueues vq[i], where the host offers them
 *   | ... desc | last_avail_idx u16 | ... |  | avail u16 | wrap u8 | used u16 | wrap u8 | inuse u32 |
 *                ~~~~~~~~~~~~~~                ~~~~~~~~~   ~~~~~~~   ~~~~~~~~   ~~~~~~~   ~~~~~
 * </pre>
 *
 * <p>For one thread at a time.
 */
public final class KnownBody {
  private static final int NOWHERE = -1;

  private final VirtioNetState state;
  private final List<Place> places;

  /** The body of the state. Its indexes are those of the state that was read or written last. */
  private final ByteBuffer body;

  private KnownBody(VirtioNetState state, ByteBuffer body) {
    this.state = state;
    this.body = body;
    this.places = places(state);
  }

  /**
   * {@return a known body, for reading}
   *
   * @param state any state
   */
  public static KnownBody of(VirtioNetState state) {
    return new KnownBody(state, ByteBuffer.wrap(VirtioNetVmState.encode(state)));
  }

  /**
   * {@return a known body, for writing in place}
   *
   * @param state any state
   * @param place holds the state's body from its position to its limit, as {@link
   *     VirtioNetVmState#encode} makes it; {@link #write} changes it there
   */
  public static KnownBody in(VirtioNetState state, ByteBuffer place) {
    return new KnownBody(state, place.slice());
  }

  /**
   * {@return the state of a body, as {@link VirtioNetVmState#decode} does}
   *
   * @param in holds the body from its position to its limit
   * @param shape the parts of the layout that the body does not contain
   * @throws VmStateException when the bytes are not such a body
   */
  public VirtioNetState read(ByteBuffer in, SectionShape shape) {
    if (in.remaining() == body.capacity()) {
      ByteBuffer came = in.slice();
      VirtioNetState moved = moved((ring, known) -> places.get(ring).read(came, known));
      put(moved);
      if (body.mismatch(came) < 0) {
        return moved;
      }
    }
    return VirtioNetVmState.decode(in, shape);
  }

  /**
   * Changes the body to that of another state, if the two differ only in ring indexes.
   *
   * @param other a state of the same device
   * @return whether the body was changed; if not, the caller has to encode the state
   */
  public boolean write(VirtioNetState other) {
    VirtioNetState moved = moved((ring, known) -> places.get(ring).take(other.queue(ring), known));
    if (!moved.equals(other)) {
      return false;
    }
    put(other);
    return true;
  }

  /** Gives the new index of a ring. */
  private interface Move {
    SavedQueue of(int ring, SavedQueue known);
  }

  /** The known state with other ring indexes. */
  private VirtioNetState moved(Move move) {
    List<SavedQueue> queues = new ArrayList<>(state.queues());
    for (int i = 0; i < places.size(); i++) {
      queues.set(i, move.of(i, queues.get(i)));
    }
    return new VirtioNetState(
        state.offer(), state.transport(), state.common(), state.net(), queues);
  }

  private void put(VirtioNetState moved) {
    for (int i = 0; i < places.size(); i++) {
      places.get(i).write(moved.queue(i), body);
    }
  }

  /**
   * Where the indexes of a ring are in a body.
   *
   * @param next offset of last_avail_idx; NOWHERE if the ring was never set up and has no index
   * @param packed offset of the packed indexes; NOWHERE if they are not saved
   */
  private record Place(int next, int packed) {
    SavedQueue take(SavedQueue from, SavedQueue known) {
      return next == NOWHERE
          ? known
          : known.withIndexes(from.next(), packed == NOWHERE ? known.packed() : from.packed());
    }

    SavedQueue read(ByteBuffer body, SavedQueue known) {
      return next == NOWHERE
          ? known
          : known.withIndexes(
              body.getShort(next) & 0xffff,
              packed == NOWHERE
                  ? known.packed()
                  : new Packed(
                      body.getShort(packed) & 0xffff,
                      body.get(packed + 2) != 0,
                      body.getShort(packed + 3) & 0xffff,
                      body.get(packed + 5) != 0,
                      body.getInt(packed + 6)));
    }

    void write(SavedQueue queue, ByteBuffer body) {
      if (next != NOWHERE) {
        body.putShort(next, (short) queue.next());
      }
      if (next != NOWHERE && packed != NOWHERE) {
        Packed indexes = queue.packed();
        body.putShort(packed, (short) indexes.avail());
        body.put(packed + 2, (byte) (indexes.availWrap() ? 1 : 0));
        body.putShort(packed + 3, (short) indexes.used());
        body.put(packed + 5, (byte) (indexes.usedWrap() ? 1 : 0));
        body.putInt(packed + 6, indexes.inUse());
      }
    }
  }

  /** One place for each ring of the device. */
  private static List<Place> places(VirtioNetState state) {
    int rings = state.queueCount();
    if (rings == 0) {
      return List.of();
    }
    Layout.Structure section = VirtioNetVmState.layout(DeviceRecord.Kind.FINAL, state);
    var body = (Layout.Structure) section.fields().getFirst().layout();
    Array vq = Array.in(body, 0, "vq");
    int next = offsetOf(((Layout.Structure) vq.element()).fields(), "last_avail_idx");
    Array packed = packed(body);
    List<Place> places = new ArrayList<>(rings);
    for (int i = 0; i < rings; i++) {
      places.add(
          state.queue(i).desc() == 0
              ? new Place(NOWHERE, NOWHERE)
              : new Place(vq.at(i) + next, packed == null ? NOWHERE : packed.at(i)));
    }
    return places;
  }

  private static @Nullable Array packed(Layout.Structure body) {
    long at = sizeOf(body.fields());
    for (Layout.Structure subsection : body.subsections()) {
      at += Layout.SUBSECTION_HEADER + subsection.name().length();
      if (subsection.name().equals("virtio/packed_virtqueues")) {
        return Array.in(subsection, (int) at, "vq");
      }
      at += subsection.size();
    }
    return null;
  }

  /** The elements of an array in a body. */
  private record Array(int start, Layout element) {
    static Array in(Layout.Structure structure, int start, String name) {
      List<Layout.Named> fields = structure.fields();
      for (Layout.Named field : fields) {
        // A field of the same name may have no elements: it takes no bytes and is not an array.
        if (field.name().equals(name) && field.layout() instanceof Layout.Array array) {
          return new Array(start + offsetOf(fields, name), array.element());
        }
      }
      throw new IllegalStateException("no array " + name);
    }

    int at(int index) {
      return start + index * (int) element.size();
    }
  }

  private static int offsetOf(List<Layout.Named> fields, String name) {
    int at = 0;
    for (Layout.Named field : fields) {
      if (field.name().equals(name)) {
        return at;
      }
      at += (int) field.layout().size();
    }
    throw new IllegalStateException("no field " + name);
  }

  private static long sizeOf(List<Layout.Named> fields) {
    return fields.stream().mapToLong(f -> f.layout().size()).sum();
  }
}
