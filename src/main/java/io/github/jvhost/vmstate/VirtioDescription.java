package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.function.ToIntFunction;

/**
 * The body of a virtio-net section.
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
final class VirtioDescription {
  private static final Description<QueueModel> QUEUE =
      Description.<QueueModel>named("virtqueue", 1)
          .u32("num", q -> q.size, (q, v) -> q.size = v)
          .expect(
              "a ring of 1 to " + SavedQueue.MAX_SIZE + " entries",
              q -> q.size >= 1 && q.size <= SavedQueue.MAX_SIZE)
          .onlyIf(
              "mmio",
              q -> !q.section.pci(),
              g -> g.u32("align", q -> q.align, (q, v) -> q.align = v))
          .u64("desc", q -> q.desc, (q, v) -> q.desc = v)
          .u16("last_avail_idx", q -> q.next, (q, v) -> q.next = v)
          .expect("index 0 in a ring that was never set up", q -> q.desc != 0 || q.next == 0)
          .onlyIf(
              "with MSI-X",
              q -> q.section.msixVectors > 0,
              g ->
                  g.u16("vector", q -> q.vector, (q, v) -> q.vector = v)
                      .expect(
                          "one of the MSI-X vectors, or none",
                          q -> q.section.vectorAllowed(q.vector)))
          .build();

  private static final Description<NetModel> ENDIAN =
      part("device_endian")
          .u8("device_endian", m -> m.endian, (m, v) -> m.endian = v)
          .expect("1 (little-endian) or 2 (big-endian)", m -> m.endian == 1 || m.endian == 2)
          .build();

  private static final Description<NetModel> FEATURES_128 =
      part("128bit_features")
          .u64(
              "guest_features_128",
              m -> m.featuresHigh,
              (m, v) -> {
                m.featuresHigh = v;
                m.above63 = true;
              })
          .build();

  private static final Description<NetModel> FEATURES_64 =
      part("64bit_features")
          .u64(
              "guest_features",
              m -> m.features,
              (m, v) -> {
                m.features = v;
                m.above31 = true;
              })
          .expect(
              "the features that were saved before in its lower half",
              m -> (int) m.features == m.featuresLow)
          .expect("only features that this device offers", m -> m.shape.offers(m.features))
          .build();

  private static final Description<NetModel> VIRTQUEUES =
      part("virtqueues")
          .field(
              "vq",
              new SparseArray(
                  Description.<QueueModel>named("virtqueue_state", 1)
                      .u64("vring.avail", q -> q.avail, (q, v) -> q.avail = v)
                      .u64("vring.used", q -> q.used, (q, v) -> q.used = v)
                      .build()))
          .field("vq", seen(m -> m.addressesSaved = true))
          .build();

  private static final Description<NetModel> RING_SIZE =
      part("ringsize")
          .field(
              "vq",
              new SparseArray(
                  Description.<QueueModel>named("ringsize_state", 1)
                      .u32("vring.num_default", q -> q.defaultSize, (q, v) -> q.defaultSize = v)
                      .expect(
                          "a default size of at most " + SavedQueue.MAX_SIZE,
                          q -> q.defaultSize >= 0 && q.defaultSize <= SavedQueue.MAX_SIZE)
                      .build()))
          .field("vq", seen(m -> m.defaultSizesSaved = true))
          .build();

  private static final Description<NetModel> PACKED =
      part("packed_virtqueues")
          .field(
              "vq",
              new SparseArray(
                  Description.<QueueModel>named("packed_virtqueue_state", 1)
                      .u16("last_avail_idx", q -> q.packedAvail, (q, v) -> q.packedAvail = v)
                      .bool(
                          "last_avail_wrap_counter",
                          q -> q.packedAvailWrap,
                          (q, v) -> q.packedAvailWrap = v)
                      .u16("used_idx", q -> q.packedUsed, (q, v) -> q.packedUsed = v)
                      .bool(
                          "used_wrap_counter",
                          q -> q.packedUsedWrap,
                          (q, v) -> q.packedUsedWrap = v)
                      .u32("inuse", q -> q.inUse, (q, v) -> q.inUse = v)
                      .build()))
          .field("vq", seen(m -> m.packedSaved = true))
          .build();

  private static final Description<NetModel> BROKEN =
      part("broken").bool("broken", m -> m.broken, (m, v) -> m.broken = v).build();

  private static final Description<NetModel> STARTED =
      part("started").bool("started", m -> m.started, (m, v) -> m.started = v).build();

  private static final Description<NetModel> DISABLED =
      part("disabled").bool("disabled", m -> m.disabled, (m, v) -> m.disabled = v).build();

  /** The whole. */
  static final Description<NetModel> BODY =
      Description.<NetModel>named("virtio", 1)
          .inline("transport", TransportDescriptions.FRONT, m -> m)
          .u8("status", m -> m.status, (m, v) -> m.status = v)
          .u8("isr", m -> m.isr, (m, v) -> m.isr = v)
          .u16("queue_sel", m -> m.queueSelect, (m, v) -> m.queueSelect = v)
          .expect(
              "a ring below " + VirtioNetState.MAX_QUEUES,
              m -> m.queueSelect < VirtioNetState.MAX_QUEUES)
          .u32("guest_features", m -> m.featuresLow, (m, v) -> m.featuresLow = v)
          .expect(
              "only features that this device offers",
              m -> m.shape.offers(Integer.toUnsignedLong(m.featuresLow)))
          .u32("config_len", m -> m.configLength, (m, v) -> m.configLength = v)
          .bytes(
              "config",
              count("config_len", m -> m.configLength),
              m -> m.config,
              (m, v) -> m.config = v)
          .u32("nvq", m -> m.queueCount, (m, v) -> m.queueCount = v)
          .expect(
              "at most " + VirtioNetState.MAX_QUEUES + " rings",
              m -> m.queueCount >= 0 && m.queueCount <= VirtioNetState.MAX_QUEUES)
          .array("vq", count("nvq", m -> m.queueCount), NetModel::queue, QUEUE)
          .struct("virtio-net-device", NetDescription.DEVICE, m -> m)
          .subsection("not the host's byte order", ENDIAN, m -> m.endian != 0)
          .subsection("the host offers features above bit 63", FEATURES_128, m -> m.above63)
          .subsection("the host offers features above bit 31", FEATURES_64, m -> m.above31)
          .subsection("the host offers VERSION_1", VIRTQUEUES, m -> m.addressesSaved)
          .subsection("a ring is smaller than it can be", RING_SIZE, m -> m.defaultSizesSaved)
          .subsection("the driver broke the device", BROKEN, m -> m.broken)
          .subsection(
              "pci, or modern mmio", TransportDescriptions.EXTRA_STATE, m -> m.pci() || m.modern)
          .subsection("the device runs", STARTED, m -> m.started)
          .subsection("the host offers RING_PACKED", PACKED, m -> m.packedSaved)
          .subsection("the device is disabled", DISABLED, m -> m.disabled)
          .build();

  private VirtioDescription() {}

  private static DescriptionBuilder<NetModel> part(String name) {
    return Description.named("virtio/" + name, 1);
  }

  private static FieldType.Count<NetModel> count(String words, ToIntFunction<NetModel> of) {
    return new FieldType.Count<>(words, of);
  }

  private interface Mark {
    void on(NetModel model);
  }

  /** Takes no bytes: remembers that this part was there. */
  private static Field.Codec<NetModel> seen(Mark mark) {
    return DescriptionBuilder.codec(FieldType.nothing(), (out, m) -> {}, (in, m) -> mark.on(m));
  }
}
