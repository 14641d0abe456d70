package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.Fact.Early;

/**
 * What may be told early: the configuration of a running device, without what could make this back
 * end look into guest memory, start a ring, or believe that the driver is ready.
 *
 * <p>What that is stands in the columns "early" and "earlyValue" of {@link Fact}.
 *
 * <p>Pure functions: thread-safe.
 */
public final class EarlyConfiguration {
  private EarlyConfiguration() {}

  /**
   * {@return what a back end with PRESETUP is sent early: everything, with eventfds that wake
   * nobody}
   *
   * @param running what it is to hold once the device runs
   */
  public static DeviceConfig explicit(DeviceConfig running) {
    return early(running, DeviceConfig.Lifecycle.EARLY_EXPLICIT, Early.EXPLICIT);
  }

  /**
   * {@return what a back end is sent early that knows nothing of presetup}
   *
   * @param running what it is to hold once the device runs
   * @param capabilities of that back end: whether it holds its rings decides how much it is sent
   */
  public static DeviceConfig implicit(DeviceConfig running, BackEndCapabilities capabilities) {
    return early(running, DeviceConfig.Lifecycle.EARLY, Early.implicit(capabilities));
  }

  /**
   * {@return what a back end is sent early in a mode that is not off}
   *
   * @param mode explicit, or implicit
   * @param running what it is to hold once the device runs
   * @param capabilities of that back end
   */
  public static DeviceConfig of(
      PresetupMode mode, DeviceConfig running, BackEndCapabilities capabilities) {
    return mode == PresetupMode.EXPLICIT ? explicit(running) : implicit(running, capabilities);
  }

  private static DeviceConfig early(
      DeviceConfig running, DeviceConfig.Lifecycle lifecycle, Early to) {
    return running.with(lifecycle, running.rings().stream().map(r -> early(r, to)).toList());
  }

  private static RingConfig early(RingConfig ring, Early to) {
    return ring.isSetUp()
        ? new RingConfig(
            Fact.SIZE.early(ring.size(), to),
            Fact.ADDRESS.early(ring.addresses(), to),
            Fact.BASE.early(ring.base(), to),
            Fact.BASE.early(ring.usedIndex(), to),
            Fact.KICK.early(ring.kick(), to),
            Fact.CALL.early(ring.call(), to),
            Fact.ERR.early(ring.err(), to),
            ring.enabled(),
            ring.logUsed())
        : ring;
  }
}
