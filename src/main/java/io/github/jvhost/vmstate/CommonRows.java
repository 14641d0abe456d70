package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.View.COUNT;
import static io.github.jvhost.vmstate.View.FLAG;
import static io.github.jvhost.vmstate.View.HEX;
import static io.github.jvhost.vmstate.View.HEX64;
import static io.github.jvhost.vmstate.View.RAW;
import static io.github.jvhost.vmstate.Wire.BOOL;
import static io.github.jvhost.vmstate.Wire.BYTES;
import static io.github.jvhost.vmstate.Wire.U16;
import static io.github.jvhost.vmstate.Wire.U32;
import static io.github.jvhost.vmstate.Wire.U64;
import static io.github.jvhost.vmstate.Wire.U8;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.CommonState.Endian;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.HostOffer;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import java.util.function.Function;

/**
 * The rows of {@link CommonState}, and the body of a virtio-net section, which contains them.
 *
 * <pre>
 *   | transport ... | status u8 | isr u8 | queue_sel u16 | features 0-31 u32 | config_len u32 | config ... |
 *   | nq u32 | nq x { size u32 | align u32 (mmio) | desc u64 | last_avail_idx u16 | vector u16 (MSI-X) } |
 *   | virtio-net-device ... |
 *   subsections, in order:
 *     device_endian u8      128bit_features u64        64bit_features u64 (bits 0-63)
 *     virtqueues            1024 x { avail u64, used u64 }
 *     ringsize              1024 x u32                                           only if one differs
 *     broken u8             extra_state (of the transport)                       started u8
 *     packed_virtqueues     1024 x { avail u16, wrap u8, used u16, wrap u8, inuse u32 }
 *     disabled u8
 * </pre>
 */
final class CommonRows {
  /** In the order of QEMU's numbers. */
  private static final List<Endian> ENDIANS = List.of(Endian.USUAL, Endian.LITTLE, Endian.BIG);

  static final Row<VirtioNetState, Integer> STATUS =
      row("status", U8, CommonState::status)
          .shown("status", bits -> View.names(DeviceStatus.describe(bits)));
  static final Row<VirtioNetState, Integer> ISR =
      row("isr", U8, CommonState::isr).shown("isr", HEX);
  static final Row<VirtioNetState, Integer> QUEUE_SELECT =
      row("queue_sel", U16, CommonState::queueSelect).shown("selected ring", COUNT);

  /** Bits 0 to 31. They are shown as a part of {@link #ALL_FEATURES}. */
  static final Row<VirtioNetState, Integer> FEATURES_LOW =
      row("guest_features", U32, c -> (int) c.features());

  /** Bits 0 to 63. They are shown in the place of the lower half. */
  private static final View<VirtioNetState> ALL_FEATURES =
      new View<>(
          View.Group.COMMON,
          "features",
          state -> View.names(NetFeature.describe(state.common().features())));

  static final Row<VirtioNetState, Long> FEATURES =
      row("guest_features", U64, CommonState::features);
  static final Row<VirtioNetState, Long> FEATURES_HIGH =
      row("guest_features_128", U64, CommonState::featuresHigh).shown("features 64 to 127", HEX64);
  static final Row<VirtioNetState, Integer> CONFIG_LENGTH =
      row("config_len", U32, c -> c.config().size());
  static final Row<VirtioNetState, Bytes> CONFIG =
      row("config", BYTES, CommonState::config)
          .times("config_len", d -> Integer.toUnsignedLong(d.get(CONFIG_LENGTH)))
          .shown("device config", RAW);
  static final Row<VirtioNetState, Integer> QUEUE_COUNT =
      Row.of("nvq", U32, VirtioNetState::queueCount);
  static final Row<VirtioNetState, Integer> ENDIAN =
      row("device_endian", U8, c -> ENDIANS.indexOf(c.endian()))
          .shown("byte order", CommonRows::order);
  static final Row<VirtioNetState, Boolean> BROKEN =
      row("broken", BOOL, CommonState::broken).shown("broken", FLAG);
  static final Row<VirtioNetState, Boolean> STARTED =
      row("started", BOOL, CommonState::started).shown("started", FLAG);
  static final Row<VirtioNetState, Boolean> DISABLED =
      row("disabled", BOOL, CommonState::disabled).shown("disabled", FLAG);

  // ---- parts that are saved only when the host offers certain features

  static final Row<VirtioNetState, Boolean> ABOVE_31 = offer(HostOffer::above31);
  static final Row<VirtioNetState, Boolean> ABOVE_63 = offer(HostOffer::above63);
  static final Row<VirtioNetState, Boolean> VERSION_1 = offer(HostOffer::version1);
  static final Row<VirtioNetState, Boolean> RING_PACKED = offer(HostOffer::ringPacked);
  static final Row<VirtioNetState, Boolean> SIZES_DIFFER =
      Row.of(
          "sizes differ",
          Wire.none(false),
          s -> s.queues().stream().anyMatch(q -> q.size() != q.defaultSize()));

  /** The whole body. */
  static final Description<VirtioNetState> BODY =
      Description.<VirtioNetState>named("virtio", 1)
          .inline(TransportRows.FRONT)
          .rows(STATUS, ISR, QUEUE_SELECT)
          .expect(
              "a ring below " + VirtioNetState.MAX_QUEUES,
              d -> d.get(QUEUE_SELECT) < VirtioNetState.MAX_QUEUES)
          .view(ALL_FEATURES)
          .rows(FEATURES_LOW)
          .expect(
              "only features that this device offers",
              d -> d.get(SectionDraft.SHAPE).offers(Integer.toUnsignedLong(d.get(FEATURES_LOW))))
          .rows(CONFIG_LENGTH, CONFIG, QUEUE_COUNT)
          .expect(
              "at most " + VirtioNetState.MAX_QUEUES + " rings",
              d -> d.get(QUEUE_COUNT) >= 0 && d.get(QUEUE_COUNT) <= VirtioNetState.MAX_QUEUES)
          .field("vq", new RingArray(QUEUE_COUNT, RingRows.QUEUE))
          .struct("virtio-net-device", NetRows.DEVICE)
          .subsection(
              "not the host's byte order",
              part("device_endian")
                  .rows(ENDIAN)
                  .expect(
                      "1 (little-endian) or 2 (big-endian)",
                      d -> d.get(ENDIAN) == 1 || d.get(ENDIAN) == 2)
                  .build(),
              d -> d.get(ENDIAN) != 0)
          .subsection(
              "the host offers features above bit 63",
              part("128bit_features").rows(FEATURES_HIGH).build(),
              ABOVE_63)
          .subsection(
              "the host offers features above bit 31",
              part("64bit_features")
                  .rows(FEATURES)
                  .expect(
                      "the features that were saved before in its lower half",
                      d -> d.get(FEATURES).intValue() == d.get(FEATURES_LOW))
                  .expect(
                      "only features that this device offers",
                      d -> d.get(SectionDraft.SHAPE).offers(d.get(FEATURES)))
                  .build(),
              ABOVE_31)
          .subsection(
              "the host offers VERSION_1", array("virtqueues", RingRows.ADDRESSES), VERSION_1)
          .subsection(
              "a ring is smaller than it can be", array("ringsize", RingRows.SIZES), SIZES_DIFFER)
          .subsection(
              "the driver broke the device",
              part("broken").rows(BROKEN).build(),
              d -> d.get(BROKEN))
          .subsection(
              "pci, or modern mmio", TransportRows.EXTRA_STATE, TransportRows::hasExtraState)
          .subsection("the device runs", part("started").rows(STARTED).build(), d -> d.get(STARTED))
          .subsection(
              "the host offers RING_PACKED",
              array("packed_virtqueues", RingRows.PACKED),
              RING_PACKED)
          .subsection(
              "the device is disabled",
              part("disabled").rows(DISABLED).build(),
              d -> d.get(DISABLED))
          .build();

  private CommonRows() {}

  /**
   * The state that was read.
   *
   * @throws IllegalArgumentException when its parts do not match
   */
  static VirtioNetState build(Draft<VirtioNetState> d) {
    return new VirtioNetState(
        new HostOffer(d.get(ABOVE_31), d.get(ABOVE_63), d.get(VERSION_1), d.get(RING_PACKED)),
        TransportRows.build(d),
        new CommonState(
            d.get(STATUS),
            d.get(ISR),
            d.get(QUEUE_SELECT),
            d.get(ABOVE_31) ? d.get(FEATURES) : Integer.toUnsignedLong(d.get(FEATURES_LOW)),
            d.get(FEATURES_HIGH),
            d.get(CONFIG),
            ENDIANS.get(d.get(ENDIAN)),
            d.get(BROKEN),
            d.get(STARTED),
            d.get(DISABLED)),
        NetRows.build(d),
        d.get(SectionDraft.RINGS).build(d.get(SIZES_DIFFER)));
  }

  private static DescriptionBuilder<VirtioNetState> part(String name) {
    return Description.named("virtio/" + name, 1);
  }

  private static Description<VirtioNetState> array(String name, Description<Ring> element) {
    return part(name).field("vq", new SparseArray(element)).build();
  }

  private static <T> Row<VirtioNetState, T> row(
      String name, Wire<T> wire, Row.Get<CommonState, T> get) {
    return Row.of(View.Group.COMMON, name, wire, s -> get.from(s.common()));
  }

  private static Row<VirtioNetState, Boolean> offer(Function<HostOffer, Boolean> get) {
    return Row.of("offer", Wire.none(false), s -> get.apply(s.offer()));
  }

  private static SavedField.Value order(int endian) {
    return new SavedField.Text(
        switch (ENDIANS.get(endian)) {
          case USUAL -> "";
          case LITTLE -> "little-endian";
          case BIG -> "big-endian";
        });
  }
}
