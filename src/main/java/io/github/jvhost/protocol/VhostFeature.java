package io.github.jvhost.protocol;

/**
 * The bits of GET_FEATURES and SET_FEATURES that belong to vhost, or that change how vhost-user
 * itself behaves.
 */
public final class VhostFeature {
  /**
   * Offered: the back end can log dirty pages. Acknowledged: it logs them. Never offered to a
   * guest.
   */
  public static final long LOG_ALL = 1L << 26;

  /**
   * The back end has protocol features. When this bit is acknowledged, each ring is disabled until
   * SET_VRING_ENABLE enables it.
   */
  public static final long PROTOCOL_FEATURES = 1L << 30;

  /** A virtio bit: ring addresses are IOVA, and both sides send IOTLB messages. */
  public static final long IOMMU_PLATFORM = 1L << 33;

  private VhostFeature() {}
}
