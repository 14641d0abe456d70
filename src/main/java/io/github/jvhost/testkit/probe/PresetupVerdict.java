package io.github.jvhost.testkit.probe;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.BackEndCapabilities;
import io.github.jvhost.vhost.BackEndProfile;
import io.github.jvhost.vhost.EarlyParts;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Whether a back end could be set up early, in one way.
 *
 * @param way "explicit, dialect rfc-2023"
 * @param possible whether it could
 * @param words how, or why not
 */
public record PresetupVerdict(String way, boolean possible, String words) {

  static List<PresetupVerdict> of(ProbeResult result) {
    List<PresetupVerdict> verdicts = new ArrayList<>();
    if (result.dialect().hasPresetup()) {
      verdicts.add(explicit(result, result.dialect(), true));
    } else {
      verdicts.add(explicit(result, Dialect.RFC_2023, false));
      verdicts.add(explicit(result, Dialect.NVIDIA_QEMU_8_2, false));
    }
    verdicts.add(implicit(result, BackEndProfile.GENERIC));
    verdicts.add(implicit(result, BackEndProfile.DPDK));
    return List.copyOf(verdicts);
  }

  /**
   * With the PRESETUP message.
   *
   * @param meant whether the caller said that numbers mean this here; the wire does not tell
   */
  private static PresetupVerdict explicit(ProbeResult result, Dialect dialect, boolean meant) {
    String way = "explicit, dialect " + label(dialect.name());
    long offered = result.protocolFeatures().orElse(0);
    int bit = dialect.presetup().orElseThrow().bit();
    if ((offered & dialect.presetupMask()) == 0) {
      return new PresetupVerdict(
          way, false, "no: protocol feature bit %d is not offered".formatted(bit));
    }
    if (!ProtocolFeature.STATUS.isIn(offered)) {
      return new PresetupVerdict(
          way, false, "no: STATUS is not offered, without which nothing holds the rings");
    }
    String told = EarlyParts.explicit().describe() + " of each ring, memory, features, MTU";
    return meant
        ? new PresetupVerdict(way, true, "yes, told early: " + told)
        : new PresetupVerdict(
            way,
            false,
            "bit %d is offered; upstream it means %s. If it was built for this dialect (say"
                    .formatted(bit, ProtocolFeature.describe(1L << bit))
                + " --dialect=%s): %s".formatted(label(dialect.name()), told));
  }

  private static PresetupVerdict implicit(ProbeResult result, BackEndProfile profile) {
    String way = "implicit, profile " + label(profile.name());
    var can =
        new BackEndCapabilities(
            result.features(),
            result.protocolFeatures().orElse(0),
            (int) Math.min(result.queues().orElse(1), Integer.MAX_VALUE),
            result.dialect(),
            profile);
    if (profile.holdsRingsUntilDriverOk() && !can.hasStatus()) {
      return new PresetupVerdict(
          way, false, "no: STATUS is not offered, without which this rule does not hold the rings");
    }
    String told = EarlyParts.implicit(can).describe() + " of each ring, memory, features, MTU";
    return profile == BackEndProfile.GENERIC
        ? new PresetupVerdict(way, true, "yes, told early: " + told)
        : new PresetupVerdict(
            way, true, "yes, if it is one: the wire does not tell. Told early: " + told);
  }

  private static String label(String name) {
    return name.toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
