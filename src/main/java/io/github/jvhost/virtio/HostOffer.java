package io.github.jvhost.virtio;

/**
 * What a saved device shows of the features that its host offered. The offered features are not
 * saved. But some parts of the state are saved only when the host offers certain bits.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param above31 whether it offers any of the bits 32 to 63: all of the driver's features are saved
 * @param above63 whether it offers any of the bits 64 to 127
 * @param version1 whether it offers VERSION_1: the addresses of each ring are saved
 * @param ringPacked whether it offers RING_PACKED: the indexes of packed rings are saved
 */
public record HostOffer(boolean above31, boolean above63, boolean version1, boolean ringPacked) {
  /** Checks that the bits imply each other. */
  public HostOffer {
    if (!above31 && (version1 || ringPacked)) {
      throw new IllegalArgumentException("VERSION_1 and RING_PACKED are bits above 31");
    }
  }

  /**
   * {@return what a saved device shows of these features, which have no bits above 63}
   *
   * @param features what the host offers, bits 0 to 63
   */
  static HostOffer of(long features) {
    return new HostOffer(
        features >>> 32 != 0,
        false,
        NetFeature.VERSION_1.in(features),
        NetFeature.RING_PACKED.in(features));
  }
}
