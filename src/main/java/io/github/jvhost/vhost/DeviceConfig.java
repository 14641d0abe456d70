package io.github.jvhost.vhost;

import io.github.jvhost.memory.MemoryTable;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a back end is to know of one device: the "desired" half of every transition. Immutable.
 *
 * @param lifecycle what the device is to do with it
 * @param features what SET_FEATURES is to carry: the features that the driver acknowledged and that
 *     are the back end's business, and vhost's own bits
 * @param mtu in bytes; null: the driver did not acknowledge VIRTIO_NET_F_MTU
 * @param memory the regions of guest memory
 * @param log where dirty pages are logged; null: logging is off
 * @param rings by vring index; the control queue is not among them
 * @param generation of an early configuration: counts up as the guest changes something, so that a
 *     stale one is recognised; 0 where it does not matter
 */
public record DeviceConfig(
    Lifecycle lifecycle,
    long features,
    @Nullable Integer mtu,
    MemoryTable memory,
    @Nullable LogTarget log,
    List<RingConfig> rings,
    int generation) {

  /** What a device is to do with its configuration. */
  public enum Lifecycle {
    /** Rings do not run, the device is reset where the back end knows of a status. */
    STOPPED,
    /** Presetup: everything is told that cannot make the back end touch guest memory. */
    EARLY,
    /** Presetup with the PRESETUP message around it. */
    EARLY_EXPLICIT,
    /** Rings run. */
    RUNNING;

    /** Whether this is one of the two forms of presetup. */
    public boolean isEarly() {
      return this == EARLY || this == EARLY_EXPLICIT;
    }
  }

  /** Copies the list. */
  public DeviceConfig {
    rings = List.copyOf(rings);
  }

  /** The same configuration for a device that is to stop. */
  public DeviceConfig stopped() {
    return with(Lifecycle.STOPPED, rings);
  }

  /** The same configuration with another purpose and other rings. */
  public DeviceConfig with(Lifecycle newLifecycle, List<RingConfig> newRings) {
    return new DeviceConfig(newLifecycle, features, mtu, memory, log, newRings, generation);
  }
}
