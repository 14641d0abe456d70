package io.github.jvhost.vhost.kernel;

import java.util.Arrays;
import java.util.List;

/**
 * What a device file offers beyond virtio: the bits of GET_BACKEND_FEATURES (linux/vhost_types.h).
 * Immutable, and so thread-safe.
 */
public enum KernelFeature {
  /** Translations are told in messages of the second form. */
  IOTLB_MSG_V2(1),
  /** Several of these messages can be told as one. */
  IOTLB_BATCH(2),
  /** Such a message names an address space. */
  IOTLB_ASID(3),
  /** The device can be suspended. Only then its rings say where they are. */
  SUSPEND(4),
  /** A suspended device can go on. */
  RESUME(5),
  /** A ring can be enabled when DRIVER_OK was set before. */
  ENABLE_AFTER_DRIVER_OK(6),
  /** Rings can lie in another address space than buffers. */
  DESC_ASID(7),
  /** Translations survive a reset of the device. */
  IOTLB_PERSIST(8);

  private final int bit;

  KernelFeature(int bit) {
    this.bit = bit;
  }

  /** {@return the bit as a mask} */
  public long mask() {
    return 1L << bit;
  }

  /**
   * {@return whether it is offered}
   *
   * @param features answer of GET_BACKEND_FEATURES
   */
  public boolean in(long features) {
    return (features & mask()) != 0;
  }

  /**
   * {@return the names of those that are offered}
   *
   * @param features answer of GET_BACKEND_FEATURES
   */
  public static List<String> names(long features) {
    return Arrays.stream(values()).filter(f -> f.in(features)).map(Enum::name).toList();
  }

  static long maskOf(KernelFeature... features) {
    return Arrays.stream(features).mapToLong(KernelFeature::mask).sum();
  }
}
