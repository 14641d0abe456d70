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
 * The back end that a {@link PlanPreview} assumes. No other is there to be asked, so everything
 * that would come of a handshake is here.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param name for people
 * @param capabilities what would be negotiated
 * @param mode how it is set up early
 */
public record PlanPreviewBackEnd(String name, BackEndCapabilities capabilities, PresetupMode mode) {

  /** What DPDK 22.11 answers to GET_FEATURES, in its default configuration. */
  private static final long DPDK_FEATURES = 0xd_7c66_e7cbL;

  /** What DPDK 22.11 answers to GET_QUEUE_NUM, however many queues its port has. */
  private static final int DPDK_QUEUE_PAIRS = 128;

  /** What this library and DPDK 22.11 agree upon unless the embedder asks for something else. */
  private static final long PROTOCOL_FEATURES =
      VhostDeviceOptions.DEFAULT_PROTOCOL_FEATURES
          & ~ProtocolFeature.maskOf(
              ProtocolFeature.INFLIGHT_SHMFD,
              ProtocolFeature.RESET_DEVICE,
              ProtocolFeature.CONFIGURE_MEM_SLOTS);

  /** Whatever a driver can use. */
  private static final long ALL_FEATURES =
      NetFeature.BACK_END | VhostFeature.PROTOCOL_FEATURES | VhostFeature.LOG_ALL;

  /**
   * Refuses a mode that the back end cannot take part in.
   *
   * @throws IllegalArgumentException it is to be set up with PRESETUP, and has none
   */
  public PlanPreviewBackEnd {
    if (mode == PresetupMode.EXPLICIT && !capabilities.hasPresetup()) {
      throw new IllegalArgumentException(name + " has no PRESETUP");
    }
  }

  /**
   * {@return a back end with the PRESETUP message and the status byte, which takes whatever a
   * driver uses}
   *
   * @param dialect with numbers for PRESETUP
   * @throws IllegalArgumentException the dialect has no PRESETUP
   */
  public static PlanPreviewBackEnd explicit(Dialect dialect) {
    long negotiated =
        (PROTOCOL_FEATURES & ~dialect.maskedProtocolFeatures()) | dialect.presetupMask();
    return new PlanPreviewBackEnd(
        "explicit",
        new BackEndCapabilities(
            ALL_FEATURES, negotiated, NetState.MAX_PAIRS, dialect, BackEndProfile.GENERIC),
        PresetupMode.EXPLICIT);
  }

  /**
   * {@return DPDK's vhost library as Debian has it (22.11), which holds its rings until DRIVER_OK}
   */
  public static PlanPreviewBackEnd dpdk() {
    return implicit("DPDK", DPDK_FEATURES, DPDK_QUEUE_PAIRS, BackEndProfile.DPDK);
  }

  /**
   * {@return a back end of no particular kind, which takes whatever a driver uses, and of which
   * nothing is known but what it would say} That is as much as DPDK's says, so that the plans for
   * both can be compared.
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
