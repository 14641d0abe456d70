package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;

/**
 * The parts of a section's layout that are not in its bytes. A section has neither tags nor
 * lengths, so its reader must be configured like its writer.
 *
 * @param attachment how the device is attached
 * @param configSpace bytes of the PCI config space, 256 or 4096; 0 for mmio
 * @param maxQueuePairs 1 to 511
 * @param offeredFeatures features that the reading device offers, bits 0 to 63. A section whose
 *     driver acknowledged others is refused. {@link #ANY_FEATURES} accepts all
 */
public record SectionShape(
    Attachment attachment, int configSpace, int maxQueuePairs, long offeredFeatures) {
  /** All features: no section is refused for the features of its driver. */
  public static final long ANY_FEATURES = -1;

  /** How a device is attached to its guest. */
  public enum Attachment {
    /** On virtio-mmio. */
    MMIO,
    /** On virtio-pci. */
    PCI
  }

  /** Checks the ranges. */
  public SectionShape {
    boolean fits =
        switch (attachment) {
          case MMIO -> configSpace == 0;
          case PCI ->
              configSpace == TransportState.Pci.CONFIG_SPACE
                  || configSpace == TransportState.Pci.EXPRESS_CONFIG_SPACE;
        };
    if (!fits || maxQueuePairs < 1 || maxQueuePairs > NetState.MAX_PAIRS) {
      throw new IllegalArgumentException(
          attachment
              + " with a config space of "
              + configSpace
              + " bytes and "
              + maxQueuePairs
              + " queue pairs");
    }
  }

  /**
   * {@return the shape of a device over virtio-mmio, legacy or modern, that may offer any features}
   *
   * @param maxQueuePairs 1 to 511
   */
  public static SectionShape mmio(int maxQueuePairs) {
    return new SectionShape(Attachment.MMIO, 0, maxQueuePairs, ANY_FEATURES);
  }

  /**
   * {@return the shape of a device over virtio-pci, legacy, transitional or modern, that may offer
   * any features}
   *
   * @param maxQueuePairs 1 to 511
   * @param configSpace bytes of the PCI config space: 256, or 4096 on PCI Express
   */
  public static SectionShape pci(int maxQueuePairs, int configSpace) {
    return new SectionShape(Attachment.PCI, configSpace, maxQueuePairs, ANY_FEATURES);
  }

  /**
   * {@return the same shape, for a device that offers only these features}
   *
   * @param features bits 0 to 63
   */
  public SectionShape offering(long features) {
    return new SectionShape(attachment, configSpace, maxQueuePairs, features);
  }

  /** Whether all of these features are offered. */
  boolean offers(long features) {
    return (features & ~offeredFeatures) == 0;
  }

  /**
   * {@return the shape of the sections that this device saves and restores}
   *
   * @param device it is only read
   */
  public static SectionShape of(VirtioNet device) {
    return of(device.transport(), device.maxQueuePairs()).offering(device.deviceFeatures());
  }

  /**
   * {@return the shape in which a state is written, with {@link #ANY_FEATURES}}
   *
   * @param state the state of a device, early or final
   */
  public static SectionShape of(VirtioNetState state) {
    return of(state.transport(), state.net().maxQueuePairs());
  }

  private static SectionShape of(TransportState transport, int maxQueuePairs) {
    return switch (transport) {
      case TransportState.Mmio mmio -> mmio(maxQueuePairs);
      case TransportState.Pci pci -> pci(maxQueuePairs, pci.configSpace().size());
    };
  }
}
