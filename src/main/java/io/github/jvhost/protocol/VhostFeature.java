package io.github.jvhost.protocol;

/**
 * The bits of GET_FEATURES and SET_FEATURES that belong to vhost, or that change how vhost-user
 * itself behaves.
 */
public final class VhostFeature {
  /** The back end can log dirty pages, and does while it is set. Never offered to a guest. */
  public static final long LOG_ALL = 1L << 26;

  /**
   * The back end has protocol features; when acknowledged, rings are enabled one by one by message.
   */
  public static final long PROTOCOL_FEATURES = 1L << 30;

  /** A virtio bit: ring addresses are IOVA, and IOTLB messages flow. */
  public static final long IOMMU_PLATFORM = 1L << 33;

  private VhostFeature() {}
}
