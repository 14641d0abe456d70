package io.github.jvhost.virtio;

/**
 * What can be seen in a saved device of the features that its host offered. They themselves are not
 * saved; but some parts of the state are only there when the host offers certain bits.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param above31 any of the bits 32 to 63: the driver's features are saved in full
 * @param above63 any of the bits 64 to 127
 * @param version1 VERSION_1: ring addresses are saved one by one
 * @param ringPacked RING_PACKED: the indexes of packed rings are saved
 */
public record HostOffer(boolean above31, boolean above63, boolean version1, boolean ringPacked) {
  /** Checks that the bits imply each other. */
  public HostOffer {
    if (!above31 && (version1 || ringPacked)) {
      throw new IllegalArgumentException("VERSION_1 and RING_PACKED are bits above 31");
    }
  }

  /**
   * {@return what shows of these features; bits above 63 are never among them}
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
