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
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.Collections;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What would be told to a back end if a saved device arrived here: found out without one, and
 * without any connection.
 *
 * <pre>
 *   early state ----> presetup ----> what the back end holds then
 *                                      |
 *   running state -------------------> stop window       for comparison:
 *              \---------------------------------------> all of it in the window
 * </pre>
 *
 * <p>Some things no saved device says, so they are assumed:
 *
 * <ul>
 *   <li>the back end ({@link PlanPreviewBackEnd}), and where guest memory lies;
 *   <li>that the back end takes everything that it is told;
 *   <li>that nothing is in flight: the used index of a split ring, which is in guest memory, is
 *       where the device goes on. Where it is not, a back end such as DPDK is told the ring's
 *       address once more, so that a window has up to one message more for each such ring;
 *   <li>that no dirty log is switched on before the window is over;
 *   <li>the MTU, where the driver never read it from the configuration space: 1500 bytes.
 * </ul>
 *
 * <p>The plans hold on to no open descriptor: they can be printed, compared and counted ({@link
 * PlanPreviewTraffic}), and not carried out. Immutable, and so thread-safe.
 *
 * @param presetup what is told while the guest still runs; empty: there is no early set-up
 * @param whyNoPresetup why there is none; empty where there is one
 * @param stopWindow what is told in the stop window after the early set-up, or, where there is
 *     none, without one
 * @param withoutPresetup what would be told in the stop window without any early set-up
 * @param whyNotStarted why the device is not started in the window (its driver is not ready, its
 *     link is down); empty where it is. A back end that was set up early is then stopped, any other
 *     is told nothing
 */
public record PlanPreview(
    Optional<Plan> presetup,
    String whyNoPresetup,
    Plan stopWindow,
    Plan withoutPresetup,
    String whyNotStarted) {

  /** Any but 0, which stands for none. */
  private static final int GENERATION = 1;

  /**
   * Plans. What it opens meanwhile, it closes.
   *
   * @param device its name, for messages
   * @param early an earlier state of the same device, from which it is set up early; null: that is
   *     the running state, too
   * @param running the state with which the guest goes on
   * @param backEnd that is assumed
   * @param memory laid out as the guest's is assumed to be; nobody reads or writes it, and it stays
   *     the caller's
   * @param ledger that counts descriptors
   * @return the plans, and the reasons why one is missing or the device is not started
   * @throws VhostException (GIVE_UP) the running state fits no device of this library, not this
   *     back end, or not this memory. Where only the early state does not fit, that is the reason
   *     why there is no presetup
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

  /** The same with a rig whose descriptors are still open afterwards. */
  static PlanPreview of(
      PlanPreviewRig rig,
      VirtioNetState early,
      VirtioNetState running,
      PlanPreviewBackEnd backEnd) {
    BackEndCapabilities can = backEnd.capabilities();
    Shadow nothing = Shadow.nothingTold();
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
      return new EarlyPlan(Planner.plan(Shadow.nothingTold(), desired, can), "");
    } catch (VhostException e) {
      return EarlyPlan.none(String.valueOf(e.getMessage()));
    }
  }

  /** The plan as it is told where it can be prepared. */
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
   * What presetup would send.
   *
   * @param plan null: presetup is not possible
   * @param why not
   */
  private record EarlyPlan(@Nullable Plan plan, String why) {
    static EarlyPlan none(String why) {
      return new EarlyPlan(null, why);
    }
  }

  /** What comes of a plan with which all goes well. */
  private static Outcome allTaken(Plan plan) {
    int steps = plan.steps().size();
    int messages = PlanPreviewTraffic.of(plan).messages();
    return new Outcome(steps, Collections.nCopies(steps, null), messages, 1, 0, 0, null);
  }
}
