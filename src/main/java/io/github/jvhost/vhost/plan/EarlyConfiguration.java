package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.Fact.Early;

/**
 * What presetup sends: the configuration of a running device, without what could make this back end
 * read guest memory, start a ring, or believe that the driver is ready.
 *
 * <p>The columns "early" and "dummy" of {@link Fact} say what that is. The facts of the device
 * except translations, byte order and enable are not looked up here, because any back end may be
 * sent them early. The log flag is a part of the address, and is sent with it.
 *
 * <p>Pure functions: thread-safe.
 */
public final class EarlyConfiguration {
  private EarlyConfiguration() {}

  /**
   * {@return what presetup sends in a mode}
   *
   * @param mode explicit or implicit
   * @param running what it is to hold once the device runs
   * @param capabilities of that back end: one that touches no ring before DRIVER_OK is sent more
   */
  public static DeviceConfig of(
      PresetupMode mode, DeviceConfig running, BackEndCapabilities capabilities) {
    Early to = Early.of(mode, capabilities);
    boolean elsewhere = mode == PresetupMode.EXPLICIT && capabilities.freezesRings();
    DeviceConfig early =
        running.with(
            mode == PresetupMode.EXPLICIT
                ? DeviceConfig.Lifecycle.PRESET_EXPLICIT
                : DeviceConfig.Lifecycle.PRESET,
            running.rings().stream().map(r -> early(r, to, elsewhere)).toList());
    return Fact.TRANSLATIONS.isSettledEarly(to) ? early : early.withoutTranslations();
  }

  /** A vDPA device is started early on other rings, so it is not told where the guest's are. */
  private static RingConfig early(RingConfig ring, Early to, boolean elsewhere) {
    return ring.isSetUp()
        ? new RingConfig(
            Fact.SIZE.earlyValue(ring.size(), to),
            elsewhere ? null : Fact.ADDRESS.earlyValue(ring.addresses(), to),
            elsewhere ? null : Fact.BASE.earlyValue(ring.base(), to),
            elsewhere ? null : Fact.BASE.earlyValue(ring.usedIndex(), to),
            Fact.KICK.earlyValue(ring.kick(), to),
            Fact.CALL.earlyValue(ring.call(), to),
            Fact.ERR.earlyValue(ring.err(), to),
            ring.enabled(),
            ring.logUsed())
        : ring;
  }
}
