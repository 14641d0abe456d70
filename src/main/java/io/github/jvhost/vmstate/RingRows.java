package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.View.COUNT;
import static io.github.jvhost.vmstate.View.FLAG;
import static io.github.jvhost.vmstate.View.HEX64;
import static io.github.jvhost.vmstate.Wire.BOOL;
import static io.github.jvhost.vmstate.Wire.HALVES;
import static io.github.jvhost.vmstate.Wire.U16;
import static io.github.jvhost.vmstate.Wire.U32;
import static io.github.jvhost.vmstate.Wire.U64;

import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.SavedQueue.Packed;
import io.github.jvhost.virtio.SavedQueue.Proxy;
import io.github.jvhost.virtio.TransportState;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * The rows of {@link SavedQueue}. QEMU saves a ring in up to five arrays.
 *
 * <pre>
 *   vq                       | size u32 | align u32 (mmio) | desc u64 | last_avail_idx u16 | vector u16 (MSI-X) |
 *   virtio/virtqueues        | avail u64 | used u64 |
 *   virtio/ringsize          | default size u32 |
 *   virtio/packed_virtqueues | avail u16 | wrap u8 | used u16 | wrap u8 | inuse u32 |
 *   of the transport         | num u16 | 0 u8 (pci) | enabled u8 | desc 2 x u32 | avail 2 x u32 | used 2 x u32 |
 * </pre>
 */
final class RingRows {
  // ---- known of the device ----

  static final Row<Ring, Boolean> MMIO =
      row("mmio", Wire.none(false), r -> r.device().transport() instanceof TransportState.Mmio);
  static final Row<Ring, Integer> VECTORS =
      row("vectors", Wire.none(0), r -> r.device().transport().vectors());

  // ---- the ring ----

  private static final View<Ring> USE =
      new View<>(View.Group.RING, "use", ring -> new SavedField.Text(ring.use()));
  static final Row<Ring, Integer> SIZE =
      row("num", U32, r -> r.queue().size()).shown("size", COUNT);

  /** It is shown next to the size. */
  private static final View<Ring> DEFAULT =
      new View<>(
          View.Group.RING,
          "default size",
          ring -> new SavedField.Count(ring.queue().defaultSize()));

  static final Row<Ring, Integer> ALIGN =
      row("align", U32, r -> r.queue().align()).shown("align", COUNT);
  static final Row<Ring, Long> DESC = row("desc", U64, r -> r.queue().desc()).shown("desc", HEX64);
  static final Row<Ring, Integer> NEXT =
      row("last_avail_idx", U16, r -> r.queue().next()).shown("next", COUNT);
  static final Row<Ring, Integer> VECTOR =
      row("vector", U16, r -> r.queue().vector())
          .absent(SavedQueue.NO_VECTOR)
          .shown("vector", TransportRows::vector);
  static final Row<Ring, Long> AVAIL =
      row("vring.avail", U64, r -> r.queue().avail()).shown("avail", HEX64);
  static final Row<Ring, Long> USED =
      row("vring.used", U64, r -> r.queue().used()).shown("used", HEX64);
  static final Row<Ring, Integer> DEFAULT_SIZE =
      row("vring.num_default", U32, r -> r.queue().defaultSize());

  // ---- packed ----

  static final Row<Ring, Integer> PACKED_AVAIL =
      packed("last_avail_idx", U16, Packed::avail, "packed avail", COUNT);
  static final Row<Ring, Boolean> PACKED_AVAIL_WRAP =
      packed("last_avail_wrap_counter", BOOL, Packed::availWrap, "packed avail wrap", FLAG)
          .absent(true);
  static final Row<Ring, Integer> PACKED_USED =
      packed("used_idx", U16, Packed::used, "packed used", COUNT);
  static final Row<Ring, Boolean> PACKED_USED_WRAP =
      packed("used_wrap_counter", BOOL, Packed::usedWrap, "packed used wrap", FLAG).absent(true);
  static final Row<Ring, Integer> IN_USE = packed("inuse", U32, Packed::inUse, "in use", COUNT);

  // ---- values in the modern registers, which may differ from the values of the ring

  static final Row<Ring, Integer> PROXY_SIZE =
      row("num", U16, r -> r.queue().proxy().size()).shown("registers' size", COUNT);
  static final Row<Ring, Boolean> PROXY_ENABLED =
      row("enabled", BOOL, r -> r.queue().proxy().enabled()).shown("registers' enable", FLAG);
  static final Row<Ring, Long> PROXY_DESC =
      row("desc", HALVES, r -> r.queue().proxy().desc()).shown("registers' desc", HEX64);
  static final Row<Ring, Long> PROXY_AVAIL =
      row("avail", HALVES, r -> r.queue().proxy().avail()).shown("registers' avail", HEX64);
  static final Row<Ring, Long> PROXY_USED =
      row("used", HALVES, r -> r.queue().proxy().used()).shown("registers' used", HEX64);

  // ---- the arrays ----

  static final Description<Ring> QUEUE =
      Description.<Ring>named("virtqueue", 1)
          .view(USE)
          .rows(SIZE)
          .expect(
              "a ring of 1 to " + SavedQueue.MAX_SIZE + " entries",
              r -> r.get(SIZE) >= 1 && r.get(SIZE) <= SavedQueue.MAX_SIZE)
          .view(DEFAULT)
          .onlyIf("mmio", r -> r.get(MMIO), g -> g.rows(ALIGN))
          .rows(DESC, NEXT)
          .expect(
              "index 0 in a ring that was never set up", r -> r.get(DESC) != 0 || r.get(NEXT) == 0)
          .onlyIf(
              "with MSI-X",
              r -> r.get(VECTORS) > 0,
              g ->
                  g.rows(VECTOR)
                      .expect(
                          "one of the MSI-X vectors, or none",
                          r -> TransportRows.isVector(r.get(VECTOR), r.get(VECTORS))))
          .build();

  static final Description<Ring> ADDRESSES =
      Description.<Ring>named("virtqueue_state", 1).rows(AVAIL, USED).build();

  static final Description<Ring> SIZES =
      Description.<Ring>named("ringsize_state", 1)
          .rows(DEFAULT_SIZE)
          .expect(
              "a default size of at most " + SavedQueue.MAX_SIZE,
              r -> r.get(DEFAULT_SIZE) >= 0 && r.get(DEFAULT_SIZE) <= SavedQueue.MAX_SIZE)
          .build();

  static final Description<Ring> PACKED =
      Description.<Ring>named("packed_virtqueue_state", 1)
          .rows(PACKED_AVAIL, PACKED_AVAIL_WRAP, PACKED_USED, PACKED_USED_WRAP, IN_USE)
          .build();

  static final Description<Ring> PCI_REGISTERS =
      Description.<Ring>named("virtio_pci/modern_queue_state", 1)
          .rows(PROXY_SIZE)
          .unusedByte()
          .rows(PROXY_ENABLED, PROXY_DESC, PROXY_AVAIL, PROXY_USED)
          .build();

  static final Description<Ring> MMIO_REGISTERS =
      Description.<Ring>named("virtio_mmio/modern_queue_state", 1)
          .rows(PROXY_SIZE, PROXY_ENABLED, PROXY_DESC, PROXY_AVAIL, PROXY_USED)
          .build();

  /** The fields of a ring that are shown to people. */
  static final List<View<Ring>> SHOWN =
      Stream.of(QUEUE, ADDRESSES, SIZES, PACKED, PCI_REGISTERS)
          .flatMap(array -> array.shown().stream())
          .toList();

  private RingRows() {}

  /**
   * The ring that was read.
   *
   * @param sizesSaved whether default sizes were saved; they are saved only if one of them differs
   *     from its size
   */
  static SavedQueue build(Draft<Ring> r, boolean sizesSaved) {
    return new SavedQueue(
        r.get(SIZE),
        sizesSaved ? r.get(DEFAULT_SIZE) : r.get(SIZE),
        r.get(ALIGN),
        r.get(DESC),
        r.get(NEXT),
        r.get(VECTOR),
        r.get(AVAIL),
        r.get(USED),
        new Packed(
            r.get(PACKED_AVAIL),
            r.get(PACKED_AVAIL_WRAP),
            r.get(PACKED_USED),
            r.get(PACKED_USED_WRAP),
            r.get(IN_USE)),
        new Proxy(
            r.get(PROXY_SIZE),
            r.get(PROXY_ENABLED),
            r.get(PROXY_DESC),
            r.get(PROXY_AVAIL),
            r.get(PROXY_USED)));
  }

  private static <T> Row<Ring, T> row(String name, Wire<T> wire, Row.Get<Ring, T> get) {
    return Row.of(View.Group.RING, name, wire, get);
  }

  /** A row that is saved if the host offers packed rings, and shown if the driver uses them. */
  private static <T> Row<Ring, T> packed(
      String name,
      Wire<T> wire,
      Row.Get<Packed, T> get,
      String words,
      Function<T, SavedField.Value> as) {
    return row(name, wire, r -> get.from(r.queue().packed()))
        .shownIf(r -> NetFeature.RING_PACKED.in(r.device().common().features()), words, as);
  }
}
