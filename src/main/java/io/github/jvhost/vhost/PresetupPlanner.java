package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import org.jspecify.annotations.Nullable;

/** Plans presetup from an early state, or says why it is not possible. */
final class PresetupPlanner {
  private PresetupPlanner() {}

  /**
   * The plan of presetup, or the reason why there is none.
   *
   * @param plan to carry out; null: presetup is not possible
   * @param why it is not possible; empty if it is
   */
  record EarlyPlan(@Nullable Plan plan, String why) {
    static EarlyPlan none(String why) {
      return new EarlyPlan(null, why);
    }
  }

  /**
   * Plans presetup. The state is loaded into a model of its own; neither the device's model nor
   * guest memory is touched.
   *
   * @param device whose back end is to be preset
   * @param model the device's; only a twin of it is used
   * @param setting with the generation of the state, and memory not complete
   */
  static EarlyPlan plan(
      VhostDevice device,
      VirtioNet model,
      NetConfiguration configuration,
      PresetupMode mode,
      VirtioNetState early,
      NetConfiguration.Setting setting) {
    if (!device.connected()) {
      return EarlyPlan.none("there is no connection to the back end");
    }
    BackEndCapabilities can = device.capabilities();
    if (mode == PresetupMode.EXPLICIT && !can.hasPresetup()) {
      return EarlyPlan.none(whyNotExplicit(can));
    }
    VirtioNet scratch = model.twin();
    try {
      scratch.restore(early);
      String whyNot = NetPlanning.whyNotPreset(scratch);
      if (!whyNot.isEmpty()) {
        return EarlyPlan.none(whyNot);
      }
      DeviceConfig full = configuration.of(scratch, setting);
      return new EarlyPlan(device.plan(EarlyConfiguration.of(mode, full, can)), "");
    } catch (VhostException e) {
      return EarlyPlan.none(String.valueOf(e.getMessage()));
    }
  }

  private static String whyNotExplicit(BackEndCapabilities can) {
    if (!(can.protocol() instanceof BackEndProtocol.VhostUser)) {
      return "the back end is the kernel's; a vDPA device is started early where its address asks"
          + " for it";
    }
    if (!can.dialect().hasPresetup()) {
      return "the dialect %s has no PRESETUP message".formatted(can.dialect().name());
    }
    return can.hasStatus()
        ? "the back end does not offer PRESETUP"
        : "the back end does not offer STATUS, without which nothing holds the rings";
  }
}
