package io.github.jvhost.testkit.preview;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;

/**
 * The back end that a {@link PlanPreview} assumes. A preview has no connection, so this holds
 * everything that a handshake would find out.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param name for people
 * @param capabilities what a handshake would negotiate
 * @param mode how it is preset
 */
public record PlanPreviewBackEnd(String name, BackEndCapabilities capabilities, PresetupMode mode) {

  /** DPDK 22.11's answer to GET_FEATURES, in its default configuration. */
  private static final long DPDK_FEATURES = 0xd_7c66_e7cbL;

  /** DPDK 22.11's answer to GET_QUEUE_NUM, however many queues its port has. */
  private static final int DPDK_QUEUE_PAIRS = 128;

  /** What this library and DPDK 22.11 negotiate by default. */
  private static final long PROTOCOL_FEATURES =
      VhostDeviceOptions.DEFAULT_PROTOCOL_FEATURES
          & ~ProtocolFeature.maskOf(
              ProtocolFeature.INFLIGHT_SHMFD,
              ProtocolFeature.RESET_DEVICE,
              ProtocolFeature.CONFIGURE_MEM_SLOTS);

  /** All features that a driver can use. */
  private static final long ALL_FEATURES =
      NetFeature.BACK_END | VhostFeature.PROTOCOL_FEATURES | VhostFeature.LOG_ALL;

  /**
   * Checks that the back end supports the mode.
   *
   * @throws IllegalArgumentException when the mode needs PRESETUP and the back end has none
   */
  public PlanPreviewBackEnd {
    if (mode == PresetupMode.EXPLICIT && !capabilities.hasPresetup()) {
      throw new IllegalArgumentException(name + " has no PRESETUP");
    }
  }

  /**
   * {@return a back end with the PRESETUP message and the status byte, which accepts every feature
   * of a driver} It holds its rings until DRIVER_OK, as the one back end does that is known to have
   * PRESETUP.
   *
   * @param dialect a dialect with numbers for PRESETUP
   * @throws IllegalArgumentException when the dialect has no PRESETUP
   */
  public static PlanPreviewBackEnd explicit(Dialect dialect) {
    long negotiated =
        (PROTOCOL_FEATURES & ~dialect.maskedProtocolFeatures()) | dialect.presetupMask();
    return new PlanPreviewBackEnd(
        "explicit",
        new BackEndCapabilities(
            ALL_FEATURES, negotiated, NetState.MAX_PAIRS, dialect, BackEndProfile.NVIDIA_VFE),
        PresetupMode.EXPLICIT);
  }

  /**
   * {@return DPDK's vhost library in Debian's version (22.11), which does not start its rings
   * before DRIVER_OK}
   */
  public static PlanPreviewBackEnd dpdk() {
    return implicit("DPDK", DPDK_FEATURES, DPDK_QUEUE_PAIRS, BackEndProfile.DPDK);
  }

  /**
   * {@return a back end of no known kind, which accepts every feature of a driver} Nothing is known
   * of it but its answers, which are those of DPDK, so that the plans for both can be compared.
   */
  public static PlanPreviewBackEnd generic() {
    return implicit("generic", ALL_FEATURES, NetState.MAX_PAIRS, BackEndProfile.GENERIC);
  }

  private static PlanPreviewBackEnd implicit(
      String name, long features, int pairs, BackEndProfile profile) {
    return new PlanPreviewBackEnd(
        name,
        new BackEndCapabilities(features, PROTOCOL_FEATURES, pairs, Dialect.UPSTREAM, profile),
        PresetupMode.IMPLICIT);
  }
}
