package io.github.jvhost.testkit.preview;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.NetPlanning;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.PreparedPlan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.Collections;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a back end would be sent if a saved device arrived here. It is computed without a back end
 * and without a connection.
 *
 * <pre>
 *   early state ----> presetup ----> what the back end holds then
 *                                      |
 *   running state -------------------> stop window       for comparison:
 *              \---------------------------------------> all of it in the window
 * </pre>
 *
 * <p>A saved device does not contain everything, so this is assumed:
 *
 * <ul>
 *   <li>the back end ({@link PlanPreviewBackEnd}), and where guest memory lies;
 *   <li>that the back end accepts every message;
 *   <li>that nothing is in flight: a split ring continues at its used index, which is in guest
 *       memory. If it does not, a back end such as DPDK is sent the ring's address again, so that
 *       the window has up to one more message for each such ring;
 *   <li>that no dirty log is switched on before the window ends;
 *   <li>an MTU of 1500 bytes, if the driver never read it from the configuration space.
 * </ul>
 *
 * <p>The plans hold no open descriptors: they can be printed, compared and counted ({@link
 * PlanPreviewTraffic}), but not carried out. Immutable, and so thread-safe.
 *
 * @param presetup what is sent while the guest still runs; empty if there is no presetup
 * @param whyNoPresetup why there is no presetup; empty if there is one
 * @param stopWindow what is sent in the stop window, after presetup if there is one
 * @param withoutPresetup what would be sent in the stop window without any presetup
 * @param whyNotStarted why the device is not started in the window (its driver is not ready, its
 *     link is down); empty if it is started. A back end that was preset is then stopped, and any
 *     other is sent nothing
 */
public record PlanPreview(
    Optional<Plan> presetup,
    String whyNoPresetup,
    Plan stopWindow,
    Plan withoutPresetup,
    String whyNotStarted) {

  /** Any number but 0, which stands for none. */
  private static final int GENERATION = 1;

  /**
   * Makes the plans. Closes everything that it opens.
   *
   * @param device its name, for messages
   * @param early an earlier state of the same device, from which it is preset; null for the running
   *     state
   * @param running the state with which the guest continues
   * @param backEnd the assumed back end
   * @param memory laid out as the guest's memory is assumed to be; it is neither read nor written,
   *     and stays the caller's
   * @param ledger lists descriptors
   * @return the plans, and the reasons why one is missing or the device is not started
   * @throws VhostException (GIVE_UP) when the running state fits no device of this library, or not
   *     this back end or this memory. If only the early state does not fit, there is no presetup,
   *     for that reason
   */
  public static PlanPreview of(
      String device,
      @Nullable VirtioNetState early,
      VirtioNetState running,
      PlanPreviewBackEnd backEnd,
      GuestMemory memory,
      DescriptorLedger ledger) {
    VirtioNetState first = early == null ? running : early;
    try (var rig = PlanPreviewRig.open(device, first, running, backEnd, memory, ledger)) {
      return of(rig, first, running, backEnd);
    }
  }

  /** The same with a rig, whose descriptors stay open. */
  static PlanPreview of(
      PlanPreviewRig rig,
      VirtioNetState early,
      VirtioNetState running,
      PlanPreviewBackEnd backEnd) {
    BackEndCapabilities can = backEnd.capabilities();
    Shadow nothing = Shadow.nothingHeld();
    EarlyPlan presetup = presetup(rig, early, backEnd);
    Plan first = presetup.plan();
    Shadow held = first == null ? nothing : nothing.after(first, allTaken(first));
    VirtioNet device = rig.in(running);
    String whyNot = whyNotStarted(device);
    DeviceConfig desired = whyNot.isEmpty() ? rig.running(device, can, 0) : rig.stopped();
    return new PlanPreview(
        Optional.ofNullable(first),
        presetup.why(),
        ahead(Planner.plan(held, desired, can)),
        Planner.plan(nothing, desired, can),
        whyNot);
  }

  private static EarlyPlan presetup(
      PlanPreviewRig rig, VirtioNetState early, PlanPreviewBackEnd backEnd) {
    BackEndCapabilities can = backEnd.capabilities();
    String unlike = rig.whyNotEarlier(early, backEnd);
    if (!unlike.isEmpty()) {
      return EarlyPlan.none(unlike);
    }
    if (NetFeature.ACCESS_PLATFORM.in(early.common().features())) {
      return EarlyPlan.none("the device is behind a vIOMMU");
    }
    try {
      VirtioNet device = rig.in(early);
      String whyNot =
          backEnd.mode() == PresetupMode.OFF
              ? "it is switched off"
              : NetPlanning.whyNotPreset(device);
      if (!whyNot.isEmpty()) {
        return EarlyPlan.none(whyNot);
      }
      DeviceConfig full = rig.running(device, can, GENERATION);
      DeviceConfig desired = EarlyConfiguration.of(backEnd.mode(), full, can);
      return new EarlyPlan(Planner.plan(Shadow.nothingHeld(), desired, can), "");
    } catch (VhostException e) {
      return EarlyPlan.none(String.valueOf(e.getMessage()));
    }
  }

  /** Returns the plan as it is sent if it can be prepared. */
  private static Plan ahead(Plan planned) {
    Plan prepared = PreparedPlan.ofOrNull(planned);
    return prepared == null ? planned : prepared;
  }

  private static String whyNotStarted(VirtioNet device) {
    if ((device.status() & DeviceStatus.DRIVER_OK) == 0) {
      return "the driver is not ready";
    }
    if (device.broken()) {
      return "the driver has broken the device";
    }
    return device.linkUp() ? "" : "the link is down";
  }

  /**
   * The plan of presetup.
   *
   * @param plan the plan, or null if presetup is not possible
   * @param why why it is not possible
   */
  private record EarlyPlan(@Nullable Plan plan, String why) {
    static EarlyPlan none(String why) {
      return new EarlyPlan(null, why);
    }
  }

  /** Returns the outcome of a plan that succeeds. */
  private static Outcome allTaken(Plan plan) {
    int steps = plan.steps().size();
    int messages = PlanPreviewTraffic.of(plan).messages();
    return new Outcome(steps, Collections.nCopies(steps, null), messages, 1, 0, 0, null);
  }
}
