package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.PciCapabilities;
import io.github.jvhost.virtio.TransportState;

/**
 * The transports: what stands in front of everything, and the registers of the modern layout, which
 * came later and therefore stand at the end, in the subsection virtio/extra_state.
 *
 * <pre>
 *   virtio-pci:   | version u32 = 2 | config space 256 or 4096 | INTA..INTD 4 x u32 |
 *                 | MSI-X table 16 n | pending ceil(n/8) | config vector u16 |          only with an MSI-X capability
 *   virtio-mmio:  | host_features_sel u32 | guest_features_sel u32 | guest_page_shift u32 |
 *
 *   virtio_pci/modern_state:  | dfselect u32 | gfselect u32 | features 2 x u32 |
 *                             1024 x | num u16 | 0 u8 | enabled u8 | desc 2 x u32 | avail 2 x u32 | used 2 x u32 |   28 bytes
 *   virtio_mmio/state:        | features 2 x u32 |
 *                             1024 x | num u16 | enabled u8 | desc 2 x u32 | avail 2 x u32 | used 2 x u32 |          27 bytes
 * </pre>
 */
final class TransportDescriptions {
  private static final Description<NetModel> PCI_DEVICE =
      Description.<NetModel>named("PCIDevice", 2)
          .u32("version_id", m -> m.pciVersion, (m, v) -> m.pciVersion = v)
          .expect("version 0 to 2 of the PCI device", m -> m.pciVersion >= 0 && m.pciVersion <= 2)
          .bytes(
              "config",
              new FieldType.Count<>(
                  "256 (conventional) or 4096 (Express)", m -> m.shape.configSpace()),
              m -> m.configSpace,
              (m, v) -> {
                m.configSpace = v;
                m.msixVectors = PciCapabilities.msixVectors(Bytes.copyOf(v));
              })
          .field(
              "irq_state",
              DescriptionBuilder.codec(
                  FieldType.numbers(
                      FieldType.Count.fixed(TransportState.Pci.INTERRUPT_LINES), Integer.BYTES),
                  (out, m) -> {
                    for (int level : m.interruptLevels) {
                      out.u32(level);
                    }
                  },
                  (in, m) -> {
                    for (int i = 0; i < m.interruptLevels.length; i++) {
                      m.interruptLevels[i] = in.u32();
                    }
                  }))
          .build();

  /** What stands in front, for either transport. */
  static final Description<NetModel> FRONT =
      Description.<NetModel>named("transport", 1)
          .onlyIf(
              "pci",
              NetModel::pci,
              g ->
                  g.struct("pci", PCI_DEVICE, m -> m)
                      .onlyIf("with MSI-X", m -> m.msixVectors > 0, TransportDescriptions::msix))
          .onlyIf(
              "mmio",
              m -> !m.pci(),
              g ->
                  g.u32(
                          "host_features_sel",
                          m -> m.deviceFeatureSelect,
                          (m, v) -> m.deviceFeatureSelect = v)
                      .u32(
                          "guest_features_sel",
                          m -> m.guestFeatureSelect,
                          (m, v) -> m.guestFeatureSelect = v)
                      .u32(
                          "guest_page_shift",
                          m -> m.guestPageShift,
                          (m, v) -> m.guestPageShift = v))
          .build();

  private static final Description<NetModel> FEATURES_128 =
      Description.<NetModel>named("virtio_pci/modern_state/features128", 1)
          .halves(
              "guest_features",
              m -> m.proxyFeaturesHigh,
              (m, v) -> {
                m.proxyFeaturesHigh = v;
                m.proxyFeaturesHighSaved = true;
              })
          .build();

  private static final Description<NetModel> PCI_MODERN =
      Description.<NetModel>named("virtio_pci/modern_state", 1)
          .u32("dfselect", m -> m.deviceFeatureSelect, (m, v) -> m.deviceFeatureSelect = v)
          .u32("gfselect", m -> m.guestFeatureSelect, (m, v) -> m.guestFeatureSelect = v)
          .halves("guest_features", m -> m.proxyFeatures, TransportDescriptions::modern)
          .field("vqs", new SparseArray(proxyQueue(true)))
          .subsection(
              "the driver acked features above bit 63", FEATURES_128, m -> m.proxyFeaturesHighSaved)
          .build();

  private static final Description<NetModel> MMIO_MODERN =
      Description.<NetModel>named("virtio_mmio/state", 1)
          .halves("guest_features", m -> m.proxyFeatures, TransportDescriptions::modern)
          .field("vqs", new SparseArray(proxyQueue(false)))
          .build();

  private static final Description<NetModel> VIRTIO_PCI =
      Description.<NetModel>named("virtio_pci", 1)
          .subsection("modern", PCI_MODERN, m -> m.modern)
          .build();

  private static final Description<NetModel> VIRTIO_MMIO =
      Description.<NetModel>named("virtio_mmio", 1)
          .subsection("modern", MMIO_MODERN, m -> m.modern)
          .build();

  /** Of what is modern. With PCI it is always there, if only as an empty shell. */
  static final Description<NetModel> EXTRA_STATE =
      Description.<NetModel>named("virtio/extra_state", 1)
          .onlyIf("pci", NetModel::pci, g -> g.struct("extra_state", VIRTIO_PCI, m -> m))
          .onlyIf("mmio", m -> !m.pci(), g -> g.struct("extra_state", VIRTIO_MMIO, m -> m))
          .build();

  private TransportDescriptions() {}

  private static void modern(NetModel model, long features) {
    model.proxyFeatures = features;
    model.modern = true;
  }

  private static void msix(DescriptionBuilder<NetModel> builder) {
    builder
        .bytes(
            "msix_table",
            new FieldType.Count<>("16 x vectors", m -> m.msixVectors * TransportState.Msix.ENTRY),
            m -> m.msixTable,
            (m, v) -> m.msixTable = v)
        .bytes(
            "msix_pba",
            new FieldType.Count<>("(vectors + 7) / 8", m -> (m.msixVectors + 7) / 8),
            m -> m.msixPending,
            (m, v) -> m.msixPending = v)
        .u16("config_vector", m -> m.configVector, (m, v) -> m.configVector = v)
        .expect("one of the MSI-X vectors, or none", m -> m.vectorAllowed(m.configVector));
  }

  private static Description<QueueModel> proxyQueue(boolean pci) {
    DescriptionBuilder<QueueModel> builder =
        Description.<QueueModel>named(
                pci ? "virtio_pci/modern_queue_state" : "virtio_mmio/modern_queue_state", 1)
            .u16("num", q -> q.proxySize, (q, v) -> q.proxySize = v);
    if (pci) {
      builder.unusedByte();
    }
    return builder
        .bool("enabled", q -> q.proxyEnabled, (q, v) -> q.proxyEnabled = v)
        .halves("desc", q -> q.proxyDesc, (q, v) -> q.proxyDesc = v)
        .halves("avail", q -> q.proxyAvail, (q, v) -> q.proxyAvail = v)
        .halves("used", q -> q.proxyUsed, (q, v) -> q.proxyUsed = v)
        .build();
  }
}
