package io.github.jvhost.vmstate;

import static io.github.jvhost.vmstate.View.COUNT;
import static io.github.jvhost.vmstate.View.HEX;
import static io.github.jvhost.vmstate.View.RAW;
import static io.github.jvhost.vmstate.Wire.BYTES;
import static io.github.jvhost.vmstate.Wire.HALVES;
import static io.github.jvhost.vmstate.Wire.U16;
import static io.github.jvhost.vmstate.Wire.U32;
import static io.github.jvhost.vmstate.Wire.U32S;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.PciCapabilities;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.TransportState.Mmio;
import io.github.jvhost.virtio.TransportState.Msix;
import io.github.jvhost.virtio.TransportState.Pci;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The rows of {@link TransportState}: how a device is attached to its guest.
 *
 * <pre>
 *   virtio-pci:   | 2 u32 | config space 256 or 4096 | irq levels 4 x u32 | msix table 16 * n | msix pending n/8 | config vector u16 |
 *                                                                            \______ only with an MSI-X capability ______/
 *   virtio-mmio:  | host_features_sel u32 | guest_features_sel u32 | guest_page_shift u32 |
 *
 *   virtio_pci/modern_state:  | dfselect u32 | gfselect u32 | features 2 x u32 |
 *                             1024 x | num u16 | 0 u8 | enabled u8 | desc 2 x u32 | avail 2 x u32 | used 2 x u32 |   28 bytes
 *   virtio_mmio/state:        | features 2 x u32 |
 *                             1024 x | num u16 | enabled u8 | desc 2 x u32 | avail 2 x u32 | used 2 x u32 |          27 bytes
 * </pre>
 */
final class TransportRows {
  private static final int PCI_VERSION = 2;
  private static final int PCI_DEVICE_ID = 2;
  private static final int FIRST_MODERN_ID = 0x1040;

  // ---- both transports ----

  private static final View<VirtioNetState> TRANSPORT =
      new View<>(
          View.Group.TRANSPORT,
          "transport",
          state -> new SavedField.Text(describe(state.transport())));
  static final Row<VirtioNetState, Boolean> MODERN =
      row("modern", Wire.none(false), TransportState::modern);
  static final Row<VirtioNetState, Long> PROXY_FEATURES =
      row("guest_features", HALVES, t -> t.modern() ? t.proxyFeatures() : null)
          .shown("registers' features", bits -> View.names(NetFeature.describe(bits)));

  // ---- PCI ----

  static final Row<VirtioNetState, Integer> PCI_DEVICE_VERSION =
      pci("version_id", U32, _ -> PCI_VERSION);
  static final Row<VirtioNetState, Bytes> CONFIG_SPACE =
      pci("config", BYTES, Pci::configSpace)
          .times(
              "256 (conventional) or 4096 (Express)", d -> d.get(SectionDraft.SHAPE).configSpace())
          .shown("config space", RAW);
  static final Row<VirtioNetState, List<Integer>> INTERRUPT_LEVELS = interruptLevels();

  /** Not in the stream: it is computed from the config space. */
  static final Row<VirtioNetState, Integer> VECTORS =
      pci("vectors", Wire.none(0), Pci::vectors).shown("msix vectors", COUNT);

  static final Row<VirtioNetState, Bytes> MSIX_TABLE =
      msix("msix_table", BYTES, Msix::table)
          .times("16 x vectors", d -> d.get(VECTORS) * Msix.ENTRY)
          .shown("msix table", RAW);
  static final Row<VirtioNetState, Bytes> MSIX_PENDING =
      msix("msix_pba", BYTES, Msix::pending)
          .times("(vectors + 7) / 8", d -> (d.get(VECTORS) + 7) / 8)
          .shown("msix pending", RAW);
  static final Row<VirtioNetState, Integer> CONFIG_VECTOR =
      msix("config_vector", U16, Msix::configVector).shown("config vector", TransportRows::vector);
  static final Row<VirtioNetState, Integer> DEVICE_SELECT =
      modernPci("dfselect", U32, Pci::deviceFeatureSelect).shown("device features select", HEX);
  static final Row<VirtioNetState, Integer> GUEST_SELECT =
      modernPci("gfselect", U32, Pci::guestFeatureSelect).shown("guest features select", HEX);
  static final Row<VirtioNetState, OptionalLong> PROXY_FEATURES_HIGH =
      modernPci(
              "guest_features",
              HALVES.as(OptionalLong::of, OptionalLong::getAsLong, OptionalLong.empty()),
              Pci::proxyFeaturesHigh)
          .shown(
              "registers' features 64 to 127",
              high -> high.isPresent() ? new SavedField.Hex(high.getAsLong()) : null);

  // ---- mmio ----

  static final Row<VirtioNetState, Integer> MMIO_HOST_SELECT =
      mmio("host_features_sel", Mmio::hostFeaturesSelect).shown("host features select", HEX);
  static final Row<VirtioNetState, Integer> MMIO_GUEST_SELECT =
      mmio("guest_features_sel", Mmio::guestFeaturesSelect).shown("guest features select", HEX);
  static final Row<VirtioNetState, Integer> MMIO_PAGE_SHIFT =
      mmio("guest_page_shift", Mmio::guestPageShift).shown("guest page shift", COUNT);

  // ---- the structures ----

  private static final Description<VirtioNetState> PCI_DEVICE =
      Description.<VirtioNetState>named("PCIDevice", 2)
          .rows(PCI_DEVICE_VERSION)
          .expect(
              "version 0 to 2 of the PCI device",
              d -> d.get(PCI_DEVICE_VERSION) >= 0 && d.get(PCI_DEVICE_VERSION) <= PCI_VERSION)
          .rows(CONFIG_SPACE)
          .follows(VECTORS, d -> PciCapabilities.msixVectors(d.get(CONFIG_SPACE)))
          .rows(INTERRUPT_LEVELS)
          .build();

  /** The fields before the common part, for both transports. */
  static final Description<VirtioNetState> FRONT =
      Description.<VirtioNetState>named("transport", 1)
          .view(TRANSPORT)
          .onlyIf(
              "pci",
              TransportRows::pci,
              g ->
                  g.struct("pci", PCI_DEVICE)
                      .onlyIf(
                          "with MSI-X",
                          d -> d.get(VECTORS) > 0,
                          msix ->
                              msix.rows(MSIX_TABLE, MSIX_PENDING, CONFIG_VECTOR)
                                  .expect(
                                      "one of the MSI-X vectors, or none",
                                      d -> isVector(d.get(CONFIG_VECTOR), d.get(VECTORS)))))
          .onlyIf(
              "mmio",
              d -> !pci(d),
              g -> g.rows(MMIO_HOST_SELECT, MMIO_GUEST_SELECT, MMIO_PAGE_SHIFT))
          .build();

  private static final Description<VirtioNetState> FEATURES_128 =
      Description.<VirtioNetState>named("virtio_pci/modern_state/features128", 1)
          .rows(PROXY_FEATURES_HIGH)
          .build();

  private static final Description<VirtioNetState> PCI_MODERN =
      Description.<VirtioNetState>named("virtio_pci/modern_state", 1)
          .rows(DEVICE_SELECT, GUEST_SELECT, PROXY_FEATURES)
          .field("vqs", new SparseArray(RingRows.PCI_REGISTERS))
          .subsection(
              "the driver acked features above bit 63",
              FEATURES_128,
              d -> d.get(PROXY_FEATURES_HIGH).isPresent())
          .build();

  private static final Description<VirtioNetState> MMIO_MODERN =
      Description.<VirtioNetState>named("virtio_mmio/state", 1)
          .rows(PROXY_FEATURES)
          .field("vqs", new SparseArray(RingRows.MMIO_REGISTERS))
          .build();

  private static final Description<VirtioNetState> VIRTIO_PCI =
      Description.<VirtioNetState>named("virtio_pci", 1)
          .subsection("modern", PCI_MODERN, MODERN)
          .build();

  private static final Description<VirtioNetState> VIRTIO_MMIO =
      Description.<VirtioNetState>named("virtio_mmio", 1)
          .subsection("modern", MMIO_MODERN, MODERN)
          .build();

  /** The modern state. With PCI it is always present, but may be empty. */
  static final Description<VirtioNetState> EXTRA_STATE =
      Description.<VirtioNetState>named("virtio/extra_state", 1)
          .onlyIf("pci", TransportRows::pci, g -> g.struct("extra_state", VIRTIO_PCI))
          .onlyIf("mmio", d -> !pci(d), g -> g.struct("extra_state", VIRTIO_MMIO))
          .build();

  private TransportRows() {}

  /** Whether {@link #EXTRA_STATE} is written. */
  static boolean hasExtraState(Draft<VirtioNetState> draft) {
    return pci(draft) || draft.get(MODERN);
  }

  /** The transport that was read. */
  static TransportState build(Draft<VirtioNetState> d) {
    if (!pci(d)) {
      return new Mmio(
          d.get(MODERN),
          d.get(MMIO_HOST_SELECT),
          d.get(MMIO_GUEST_SELECT),
          d.get(MMIO_PAGE_SHIFT),
          d.get(PROXY_FEATURES));
    }
    return new Pci(
        d.get(MODERN),
        d.get(CONFIG_SPACE),
        d.get(INTERRUPT_LEVELS),
        d.get(VECTORS) == 0
            ? Optional.empty()
            : Optional.of(new Msix(d.get(MSIX_TABLE), d.get(MSIX_PENDING), d.get(CONFIG_VECTOR))),
        d.get(DEVICE_SELECT),
        d.get(GUEST_SELECT),
        d.get(PROXY_FEATURES),
        d.get(PROXY_FEATURES_HIGH));
  }

  private static boolean pci(Draft<VirtioNetState> draft) {
    return draft.get(SectionDraft.SHAPE).attachment() == SectionShape.Attachment.PCI;
  }

  static boolean isVector(int vector, int vectors) {
    return vector == SavedQueue.NO_VECTOR || vector < vectors;
  }

  /** Shows NO_VECTOR as no value, as without MSI-X, so that the two do not differ. */
  static SavedField.Value vector(int vector) {
    return new SavedField.Text(vector == SavedQueue.NO_VECTOR ? "" : Integer.toString(vector));
  }

  private static String describe(TransportState transport) {
    return switch (transport) {
      case Mmio mmio -> mmio.describe();
      case Pci pci -> {
        Bytes space = pci.configSpace();
        String bus = space.size() == Pci.CONFIG_SPACE ? "pci" : "pci express";
        boolean transitional = space.littleEndian16(PCI_DEVICE_ID) < FIRST_MODERN_ID;
        String layout = !pci.modern() ? "legacy " : transitional ? "transitional " : "modern ";
        yield layout + bus;
      }
    };
  }

  private static Row<VirtioNetState, List<Integer>> interruptLevels() {
    Row<VirtioNetState, List<Integer>> row =
        pci("irq_state", U32S, Pci::interruptLevels).times(Pci.INTERRUPT_LINES);
    for (int i = 0; i < Pci.INTERRUPT_LINES; i++) {
      int line = i;
      row =
          row.shown(
              "level of INT" + (char) ('A' + line),
              levels -> new SavedField.Count(levels.get(line)));
    }
    return row;
  }

  private static <T> Row<VirtioNetState, T> row(
      String name, Wire<T> wire, Row.Get<TransportState, T> get) {
    return Row.of(View.Group.TRANSPORT, name, wire, s -> get.from(s.transport()));
  }

  private static <T> Row<VirtioNetState, T> pci(String name, Wire<T> wire, Row.Get<Pci, T> get) {
    return row(name, wire, t -> t instanceof Pci pci ? get.from(pci) : null);
  }

  private static <T> Row<VirtioNetState, T> modernPci(
      String name, Wire<T> wire, Row.Get<Pci, T> get) {
    return pci(name, wire, pci -> pci.modern() ? get.from(pci) : null);
  }

  private static <T> Row<VirtioNetState, T> msix(String name, Wire<T> wire, Function<Msix, T> get) {
    return pci(name, wire, pci -> orNull(pci.msix().map(get)));
  }

  private static <T> @Nullable T orNull(Optional<T> value) {
    return value.isPresent() ? value.get() : null;
  }

  private static Row<VirtioNetState, Integer> mmio(String name, Row.Get<Mmio, Integer> get) {
    return row(name, U32, t -> t instanceof Mmio mmio ? get.from(mmio) : null);
  }
}
