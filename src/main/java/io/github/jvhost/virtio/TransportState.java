package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The part of a device's state that depends on how it is attached to the guest: over virtio-mmio or
 * virtio-pci, each with its legacy register layout alone or with the modern one. The library passes
 * on what it does not interpret (PCI config space, MSI-X table).
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface TransportState {
  /**
   * {@return whether there are modern registers (a transitional PCI device also has legacy
   * registers)}
   */
  boolean modern();

  /**
   * {@return the features that the driver wrote to the modern registers, bits 0 to 63; they become
   * the device's at FEATURES_OK} 0 without modern registers.
   */
  long proxyFeatures();

  /**
   * {@return the same transport with other features in its modern registers; unchanged without
   * modern registers}
   *
   * @param features bits 0 to 63
   */
  TransportState withProxyFeatures(long features);

  /** {@return the same transport after a device reset} */
  TransportState reset();

  /** {@return how many MSI-X vectors there are, 0 to 2048} */
  default int vectors() {
    return 0;
  }

  /**
   * {@return the same transport with another vector for changes of the config space; unchanged
   * without MSI-X}
   *
   * @param vector below {@link #vectors}, or {@link SavedQueue#NO_VECTOR}
   */
  default TransportState withConfigVector(int vector) {
    return this;
  }

  /** {@return its kind, for messages: {@code modern mmio}} */
  String describe();

  /**
   * A device on virtio-mmio.
   *
   * @param modern whether it has the register layout of version 2
   * @param hostFeaturesSelect which half of the device's features the driver reads, as written (32
   *     bits)
   * @param guestFeaturesSelect which half of its features the driver writes, as written (32 bits)
   * @param guestPageShift legacy: page size of ring addresses as a power of two, 0 = not set (32
   *     bits)
   * @param proxyFeatures as in {@link TransportState#proxyFeatures()}
   */
  record Mmio(
      boolean modern,
      int hostFeaturesSelect,
      int guestFeaturesSelect,
      int guestPageShift,
      long proxyFeatures)
      implements TransportState {
    /** Checks that a legacy transport has no modern registers. */
    public Mmio {
      if (!modern && proxyFeatures != 0) {
        throw new IllegalArgumentException("legacy virtio-mmio has no modern registers");
      }
    }

    /**
     * {@return a new transport, to which the driver has written nothing}
     *
     * @param modern whether it has the register layout of version 2
     */
    public static Mmio create(boolean modern) {
      return new Mmio(modern, 0, 0, 0, 0);
    }

    @Override
    public Mmio withProxyFeatures(long features) {
      return modern
          ? new Mmio(true, hostFeaturesSelect, guestFeaturesSelect, guestPageShift, features)
          : this;
    }

    @Override
    public Mmio reset() {
      return create(modern);
    }

    @Override
    public String describe() {
      return modern ? "modern mmio" : "legacy mmio";
    }
  }

  /**
   * A device on virtio-pci.
   *
   * @param modern whether there are modern registers
   * @param configSpace the PCI config space, 256 or (PCI Express) 4096 bytes
   * @param interruptLevels levels of INTA to INTD, four 32-bit values
   * @param msix present if and only if the config space has an MSI-X capability
   * @param deviceFeatureSelect as written (32 bits); 0 without modern registers
   * @param guestFeatureSelect as written (32 bits); 0 without modern registers
   * @param proxyFeatures as in {@link TransportState#proxyFeatures()}
   * @param proxyFeaturesHigh bits 64 to 127, if the source's device has such registers
   */
  record Pci(
      boolean modern,
      Bytes configSpace,
      List<Integer> interruptLevels,
      Optional<Msix> msix,
      int deviceFeatureSelect,
      int guestFeatureSelect,
      long proxyFeatures,
      OptionalLong proxyFeaturesHigh)
      implements TransportState {
    /** Conventional PCI. */
    public static final int CONFIG_SPACE = 256;

    /** PCI Express. */
    public static final int EXPRESS_CONFIG_SPACE = 4096;

    /** Interrupt lines of a PCI device. */
    public static final int INTERRUPT_LINES = 4;

    /** Checks that the parts match. */
    public Pci {
      interruptLevels = List.copyOf(interruptLevels);
      if (configSpace.size() != CONFIG_SPACE && configSpace.size() != EXPRESS_CONFIG_SPACE) {
        throw new IllegalArgumentException("PCI config space of " + configSpace.size() + " bytes");
      }
      if (interruptLevels.size() != INTERRUPT_LINES) {
        throw new IllegalArgumentException("a PCI device has four interrupt lines");
      }
      int vectors = PciCapabilities.msixVectors(configSpace);
      int saved = msix.map(Msix::vectors).orElse(0);
      if (vectors != saved) {
        throw new IllegalArgumentException(
            "the config space has " + vectors + " MSI-X vectors, the table " + saved);
      }
      if (!modern
          && (deviceFeatureSelect != 0
              || guestFeatureSelect != 0
              || proxyFeatures != 0
              || proxyFeaturesHigh.isPresent())) {
        throw new IllegalArgumentException("legacy virtio-pci has no modern registers");
      }
    }

    @Override
    public Pci withProxyFeatures(long features) {
      return modern
          ? new Pci(
              true,
              configSpace,
              interruptLevels,
              msix,
              deviceFeatureSelect,
              guestFeatureSelect,
              features,
              proxyFeaturesHigh)
          : this;
    }

    /** The MSI-X table belongs to the PCI function and stays. The assigned vector does not. */
    @Override
    public Pci reset() {
      OptionalLong high = proxyFeaturesHigh.isPresent() ? OptionalLong.of(0) : OptionalLong.empty();
      Optional<Msix> unused = msix.map(all -> all.withConfigVector(SavedQueue.NO_VECTOR));
      return new Pci(modern, configSpace, interruptLevels, unused, 0, 0, 0, high);
    }

    @Override
    public int vectors() {
      return msix.isPresent() ? msix.get().vectors() : 0;
    }

    @Override
    public Pci withConfigVector(int vector) {
      return new Pci(
          modern,
          configSpace,
          interruptLevels,
          msix.map(all -> all.withConfigVector(vector)),
          deviceFeatureSelect,
          guestFeatureSelect,
          proxyFeatures,
          proxyFeaturesHigh);
    }

    @Override
    public String describe() {
      return (modern ? "modern" : "legacy")
          + " pci ("
          + configSpace.size()
          + " bytes of config space, "
          + vectors()
          + " MSI-X vectors)";
    }
  }

  /**
   * Message-signalled interrupts of a PCI device.
   *
   * @param table 16 bytes for each vector, as the guest wrote them (little-endian)
   * @param pending one bit for each vector
   * @param configVector vector of config changes, or {@link SavedQueue#NO_VECTOR}
   */
  record Msix(Bytes table, Bytes pending, int configVector) {
    /** Bytes of a table entry. */
    public static final int ENTRY = 16;

    /** The most vectors that a device can have. */
    public static final int MAX_VECTORS = 2048;

    /** Checks that the parts match. */
    public Msix {
      int vectors = table.size() / ENTRY;
      if (table.size() % ENTRY != 0
          || vectors == 0
          || vectors > MAX_VECTORS
          || pending.size() != (vectors + 7) / 8) {
        throw new IllegalArgumentException(
            "MSI-X table of " + table.size() + " bytes with " + pending.size() + " pending bytes");
      }
      Ranges.checkVector(configVector, vectors);
    }

    /** {@return how many vectors there are, 1 to 2048} */
    public int vectors() {
      return table.size() / ENTRY;
    }

    /**
     * {@return the same state with another vector for changes of the config space}
     *
     * @param vector below {@link #vectors}, or {@link SavedQueue#NO_VECTOR}
     */
    public Msix withConfigVector(int vector) {
      return new Msix(table, pending, vector);
    }
  }
}
