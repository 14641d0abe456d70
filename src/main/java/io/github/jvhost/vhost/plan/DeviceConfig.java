package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.virtio.ControlState;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a back end is to hold of one device: the "desired" side of every transition. Immutable.
 *
 * @param lifecycle what the device is to do
 * @param features what SET_FEATURES is to carry: those features acknowledged by the driver that
 *     concern the back end, and vhost's own bits
 * @param mtu in bytes; null: the driver did not acknowledge VIRTIO_NET_F_MTU
 * @param memory the regions of guest memory
 * @param log where dirty pages are logged; null: logging is off
 * @param rings by vring index; the control queue is not among them
 * @param inflight the region in which the back end records the requests in flight; null: none was
 *     made yet
 * @param translations of I/O virtual addresses that the back end is to have, in the order of these
 *     addresses, taken as unsigned; ring addresses are I/O virtual addresses then. Null: there is
 *     no IOMMU
 * @param ringOrder the byte order of legacy rings, if it is not this host's; null: not to be sent
 * @param control what the driver has set by commands, for a back end that is told them; null:
 *     nothing
 * @param generation of an early configuration: it increases when the guest changes something, so
 *     that an old configuration is recognised; 0 where it does not matter
 */
public record DeviceConfig(
    Lifecycle lifecycle,
    long features,
    @Nullable Integer mtu,
    MemoryTable memory,
    @Nullable LogTarget log,
    List<RingConfig> rings,
    @Nullable InflightRegion inflight,
    @Nullable List<Translation> translations,
    @Nullable ByteOrder ringOrder,
    @Nullable ControlState control,
    int generation) {

  /** What a device is to do with its configuration. */
  public enum Lifecycle {
    /** Rings stop; the status becomes 0 if the back end has one. */
    STOPPED,
    /**
     * The driver has reset the device: rings stop, and everything that the driver configured is
     * gone.
     */
    RESET,
    /** Presetup: everything is sent that cannot make the back end touch guest memory. */
    PRESET,
    /** Presetup with the PRESETUP message around it. */
    PRESET_EXPLICIT,
    /** Rings run. */
    RUNNING;

    /** {@return whether no ring is to run} */
    public boolean isStopped() {
      return this == STOPPED || this == RESET;
    }

    /** {@return whether this is one of the two forms of presetup} */
    public boolean isEarly() {
      return this == PRESET || this == PRESET_EXPLICIT;
    }
  }

  /** Copies the lists. */
  public DeviceConfig {
    rings = List.copyOf(rings);
    translations = translations == null ? null : List.copyOf(translations);
  }

  /**
   * A configuration without in-flight region and IOMMU, with rings in this host's byte order.
   *
   * @param lifecycle what the device is to do
   * @param features what SET_FEATURES is to carry
   * @param mtu in bytes; null: the driver did not acknowledge VIRTIO_NET_F_MTU
   * @param memory the regions of guest memory
   * @param log where dirty pages are logged; null: logging is off
   * @param rings by vring index; the control queue is not among them
   * @param generation of an early configuration; 0 where it does not matter
   */
  public DeviceConfig(
      Lifecycle lifecycle,
      long features,
      @Nullable Integer mtu,
      MemoryTable memory,
      @Nullable LogTarget log,
      List<RingConfig> rings,
      int generation) {
    this(lifecycle, features, mtu, memory, log, rings, null, null, null, null, generation);
  }

  /**
   * {@return the same configuration with another lifecycle and other rings}
   *
   * @param newLifecycle what the device is to do instead
   * @param newRings by vring index; copied
   */
  public DeviceConfig with(Lifecycle newLifecycle, List<RingConfig> newRings) {
    return new DeviceConfig(
        newLifecycle,
        features,
        mtu,
        memory,
        log,
        newRings,
        inflight,
        translations,
        ringOrder,
        control,
        generation);
  }

  /** The same configuration without translations, if it has any. */
  DeviceConfig withoutTranslations() {
    return new DeviceConfig(
        lifecycle,
        features,
        mtu,
        memory,
        log,
        rings,
        inflight,
        translations == null ? null : List.of(),
        ringOrder,
        control,
        generation);
  }

  /**
   * {@return the same configuration with another generation}
   *
   * @param newGeneration larger than that of any earlier early configuration
   */
  public DeviceConfig withGeneration(int newGeneration) {
    return new DeviceConfig(
        lifecycle,
        features,
        mtu,
        memory,
        log,
        rings,
        inflight,
        translations,
        ringOrder,
        control,
        newGeneration);
  }
}
