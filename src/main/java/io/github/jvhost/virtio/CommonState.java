package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.Objects;

/**
 * The saved state that every virtio device has.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param status device status, 8 bits, see {@link DeviceStatus}
 * @param isr interrupt status of a legacy or INTx interrupt, 8 bits
 * @param queueSelect the ring that the driver selected last, 0 to 1023
 * @param features acknowledged features, bits 0 to 63
 * @param featuresHigh acknowledged features, bits 64 to 127
 * @param config the device's config space as the driver last read it: a copy, possibly stale
 * @param endian byte order of a legacy device
 * @param broken whether the driver did something from which the device cannot recover
 * @param started whether the driver had set DRIVER_OK
 * @param disabled whether its host had switched the device off
 */
public record CommonState(
    int status,
    int isr,
    int queueSelect,
    long features,
    long featuresHigh,
    Bytes config,
    Endian endian,
    boolean broken,
    boolean started,
    boolean disabled) {
  /** The saved byte order of a device. */
  public enum Endian {
    /** No order is saved: the usual one of the device. */
    USUAL,
    /** Little-endian. */
    LITTLE,
    /** Big-endian. */
    BIG
  }

  /** Checks the ranges. */
  public CommonState {
    Objects.requireNonNull(config, "config");
    Objects.requireNonNull(endian, "endian");
    if (status < 0 || status > 0xFF || isr < 0 || isr > 0xFF) {
      throw new IllegalArgumentException("status " + status + ", isr " + isr);
    }
    if (queueSelect < 0 || queueSelect >= VirtioNetState.MAX_QUEUES) {
      throw new IllegalArgumentException("selected ring " + queueSelect);
    }
  }

  /**
   * {@return the same state with another device status}
   *
   * @param newStatus 8 bits, see {@link DeviceStatus}
   */
  public CommonState withStatus(int newStatus) {
    return with(newStatus, features, featuresHigh);
  }

  /**
   * {@return the same state with other acknowledged features}
   *
   * @param newFeatures bits 0 to 63
   * @param newFeaturesHigh bits 64 to 127
   */
  public CommonState withFeatures(long newFeatures, long newFeaturesHigh) {
    return with(status, newFeatures, newFeaturesHigh);
  }

  private CommonState with(int newStatus, long newFeatures, long newFeaturesHigh) {
    return new CommonState(
        newStatus,
        isr,
        queueSelect,
        newFeatures,
        newFeaturesHigh,
        config,
        endian,
        broken,
        started,
        disabled);
  }
}
