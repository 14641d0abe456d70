package io.github.jvhost.vhost.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * What may be told early: the configuration of a running device, without what could make this back
 * end look into guest memory, start a ring, or believe that the driver is ready.
 *
 * <pre>
 *                       explicit    implicit, ring-holding    implicit, any other
 *   size, enable        yes         yes                       yes
 *   call                none        yes                       yes
 *   address             yes         yes                       -
 *   kick                none        yes                       -
 *   base                as saved    -                         -
 * </pre>
 *
 * <p>Pure functions: thread-safe.
 */
public final class EarlyConfiguration {
  private static final Notifier NONE = new Notifier.WithoutDescriptor();

  private EarlyConfiguration() {}

  /**
   * {@return what a back end with PRESETUP is told early: everything, with notifiers that wake
   * nobody}
   *
   * @param running what it is to know once the device runs
   */
  public static DeviceConfig explicit(DeviceConfig running) {
    return early(
        running, DeviceConfig.Lifecycle.EARLY_EXPLICIT, ring -> ring.withNotifiers(NONE, NONE));
  }

  /**
   * {@return what a back end is told early that knows nothing of presetup}
   *
   * @param running what it is to know once the device runs
   * @param capabilities of that back end: whether it holds its rings decides how much it is told
   */
  public static DeviceConfig implicit(DeviceConfig running, BackEndCapabilities capabilities) {
    boolean held = capabilities.hasStatus() && capabilities.profile().holdsRingsUntilDriverOk();
    return early(
        running,
        DeviceConfig.Lifecycle.EARLY,
        held
            ? ring -> ring.withBase(null, null)
            : ring -> ring.withoutAddresses().withNotifiers(null, ring.call()));
  }

  /**
   * What a back end is told early in a mode that is not off.
   *
   * @param running what it is to know once the device runs
   */
  public static DeviceConfig of(
      PresetupMode mode, DeviceConfig running, BackEndCapabilities capabilities) {
    return mode == PresetupMode.EXPLICIT ? explicit(running) : implicit(running, capabilities);
  }

  private static DeviceConfig early(
      DeviceConfig running, DeviceConfig.Lifecycle lifecycle, UnaryOperator<RingConfig> early) {
    List<RingConfig> rings = new ArrayList<>(running.rings().size());
    for (RingConfig ring : running.rings()) {
      rings.add(ring.isSetUp() ? early.apply(ring) : ring);
    }
    return running.with(lifecycle, rings);
  }
}
