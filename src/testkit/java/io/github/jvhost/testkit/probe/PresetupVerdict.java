package io.github.jvhost.testkit.probe;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact.Early;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Whether a back end can be preset in one way.
 *
 * @param way the way of presetup
 * @param reason why it can or cannot be preset
 * @param early what presetup would send, also if it depends on what the wire does not show; empty
 *     if presetup is impossible
 */
public record PresetupVerdict(Way way, Reason reason, List<EarlyPart> early) {

  /** A way of presetup. */
  public sealed interface Way {}

  /**
   * With the PRESETUP message.
   *
   * @param dialect the dialect that has its bit and its id
   */
  public record Explicit(Dialect dialect) implements Way {}

  /**
   * Without the PRESETUP message.
   *
   * @param profile the profile on which it relies
   */
  public record Implicit(BackEndProfile profile) implements Way {}

  /** Why a back end can or cannot be preset. */
  public enum Reason {
    /** It can: the back end offers everything that is needed. */
    OFFERED,

    /** It can if the back end has this profile, which the wire does not show. */
    IF_OF_PROFILE,

    /**
     * It can if the back end was built for this dialect, which the wire does not show. It offers
     * the dialect's bit, but it was asked in another dialect, in which that bit means something
     * else.
     */
    IF_OF_DIALECT,

    /** It cannot: the dialect's bit is not offered. */
    NO_PRESETUP,

    /** It cannot: STATUS is not offered, and without it the rings would start too early. */
    NO_STATUS
  }

  /** Copies the list. */
  public PresetupVerdict {
    early = List.copyOf(early);
  }

  /** {@return whether it can be preset, as far as the answers show} */
  public boolean possible() {
    return switch (reason) {
      case OFFERED, IF_OF_PROFILE -> true;
      case IF_OF_DIALECT, NO_PRESETUP, NO_STATUS -> false;
    };
  }

  static List<PresetupVerdict> of(ProbeResult result) {
    List<PresetupVerdict> verdicts = new ArrayList<>();
    if (result.dialect().hasPresetup()) {
      verdicts.add(explicit(result, result.dialect(), Reason.OFFERED));
    } else {
      verdicts.add(explicit(result, Dialect.RFC_2023, Reason.IF_OF_DIALECT));
      verdicts.add(explicit(result, Dialect.NVIDIA_QEMU_8_2, Reason.IF_OF_DIALECT));
    }
    verdicts.add(implicit(result, BackEndProfile.GENERIC, Reason.OFFERED));
    verdicts.add(implicit(result, BackEndProfile.DPDK, Reason.IF_OF_PROFILE));
    return List.copyOf(verdicts);
  }

  private static PresetupVerdict explicit(ProbeResult result, Dialect dialect, Reason otherwise) {
    var way = new Explicit(dialect);
    long offered = result.protocolFeatures().orElse(0);
    if ((offered & dialect.presetupMask()) == 0) {
      return new PresetupVerdict(way, Reason.NO_PRESETUP, List.of());
    }
    if (!ProtocolFeature.STATUS.isIn(offered)) {
      return new PresetupVerdict(way, Reason.NO_STATUS, List.of());
    }
    return new PresetupVerdict(way, otherwise, early(Early.EXPLICIT, result));
  }

  private static PresetupVerdict implicit(
      ProbeResult result, BackEndProfile profile, Reason otherwise) {
    var way = new Implicit(profile);
    var can =
        new BackEndCapabilities(
            result.features(),
            result.protocolFeatures().orElse(0),
            (int) Math.min(result.queues().orElse(1), Integer.MAX_VALUE),
            result.dialect(),
            profile);
    if (profile.holdsRingsUntilDriverOk() && !can.hasStatus()) {
      return new PresetupVerdict(way, Reason.NO_STATUS, List.of());
    }
    return new PresetupVerdict(way, otherwise, early(Early.of(PresetupMode.IMPLICIT, can), result));
  }

  private static List<EarlyPart> early(Early to, ProbeResult result) {
    // The MTU is sent only if both features are offered.
    boolean mtu =
        ProtocolFeature.MTU.isIn(result.protocolFeatures().orElse(0))
            && NetFeature.MTU.in(result.features());
    return Arrays.stream(EarlyPart.values())
        .filter(part -> part != EarlyPart.MTU || mtu)
        .filter(part -> part.isSentTo(to))
        .toList();
  }

  /** {@return what presetup tells a back end of the kernel, which starts rings by a step} */
  public static List<EarlyPart> earlyOfKernel() {
    return Arrays.stream(EarlyPart.values())
        .filter(part -> part != EarlyPart.MTU && part != EarlyPart.ENABLE)
        .filter(part -> part.isSentTo(Early.HOLDING))
        .toList();
  }
}
