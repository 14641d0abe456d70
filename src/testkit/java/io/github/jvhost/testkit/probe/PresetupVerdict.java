package io.github.jvhost.testkit.probe;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Fact.Early;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;

/**
 * Whether a back end could be set up early, in one way.
 *
 * @param way in which it would be told
 * @param reason whether it could, and why not
 * @param early what it would be told early, or would if the doubt were dispelled; empty where it is
 *     impossible
 */
public record PresetupVerdict(Way way, Reason reason, List<EarlyPart> early) {

  /** How a back end is told early. */
  public sealed interface Way {}

  /**
   * With the PRESETUP message.
   *
   * @param dialect that has it: its bit and its id
   */
  public record Explicit(Dialect dialect) implements Way {}

  /**
   * Without a message for it.
   *
   * @param profile what is relied upon
   */
  public record Implicit(BackEndProfile profile) implements Way {}

  /** What speaks for it or against it. */
  public enum Reason {
    /** Everything that it takes is offered. */
    OFFERED,

    /** So it is if the back end is one of this profile, which the wire does not tell. */
    IF_OF_PROFILE,

    /**
     * The dialect's bit is offered, but it was asked in a dialect in which that bit means something
     * else: so it is if it was built for this one, which the wire does not tell.
     */
    IF_OF_DIALECT,

    /** The dialect's bit is not offered. */
    NO_PRESETUP,

    /** STATUS is not offered, without which nothing holds the rings. */
    NO_STATUS
  }

  /** Copies. */
  public PresetupVerdict {
    early = List.copyOf(early);
  }

  /** {@return whether it could, as far as what was asked goes} */
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
    return new PresetupVerdict(way, otherwise, early(Early.implicit(can), result));
  }

  private static List<EarlyPart> early(Early to, ProbeResult result) {
    List<EarlyPart> early = new ArrayList<>();
    for (EarlyPart part : EarlyPart.values()) {
      boolean told =
          switch (part) {
            case SIZE -> Fact.SIZE.isSettledEarly(to);
            case ADDRESS -> Fact.ADDRESS.isSettledEarly(to);
            case KICK -> Fact.KICK.isSettledEarly(to);
            case CALL -> Fact.CALL.isSettledEarly(to);
            case ENABLE, MEMORY, FEATURES -> true;
            // The one without the other is told nobody.
            case MTU ->
                ProtocolFeature.MTU.isIn(result.protocolFeatures().orElse(0))
                    && NetFeature.MTU.in(result.features());
          };
      if (told) {
        early.add(part);
      }
    }
    return early;
  }
}
