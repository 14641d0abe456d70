package io.github.jvhost.testkit.preview;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import java.util.Optional;

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

  /** What vhost-net of Linux 6.12 and a tap offer together. */
  private static final long TAP_FEATURES =
      NetFeature.BACK_END
          & ~NetFeature.maskOf(
              NetFeature.ANY_LAYOUT,
              NetFeature.ACCESS_PLATFORM,
              NetFeature.RING_PACKED,
              NetFeature.NOTIFICATION_DATA,
              NetFeature.IN_ORDER,
              NetFeature.RSS,
              NetFeature.RSC_EXT,
              NetFeature.HASH_REPORT,
              NetFeature.GSO);

  private static final int KERNEL_REGIONS = 64;

  private static final int VDPA_RING_SIZE = 256;

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

  /**
   * {@return the kernel's vhost-net with a tap, as Linux 6.12 offers them} The tap has as many
   * queues as the device needs.
   */
  public static PlanPreviewBackEnd vhostNet() {
    return kernel(
        "vhost-net",
        TAP_FEATURES | VhostFeature.LOG_ALL,
        NetState.MAX_PAIRS,
        new BackEndProtocol.VhostNet(),
        BackEndProfile.VHOST_NET);
  }

  /**
   * {@return a vDPA device that can be suspended, which accepts every feature and command of a
   * driver, and rings of up to 256 entries} It has another address than the guest.
   *
   * @param startsEarly whether it is started early on empty rings
   */
  public static PlanPreviewBackEnd vdpa(boolean startsEarly) {
    return kernel(
        startsEarly ? "vDPA, started early" : "vDPA",
        NetFeature.BACK_END | NetFeature.COMMANDS,
        NetState.MAX_PAIRS,
        new BackEndProtocol.VhostVdpa(
            Optional.empty(), true, startsEarly, VDPA_RING_SIZE, BackEndCapabilities.NO_MAX_MTU),
        BackEndProfile.VHOST_VDPA);
  }

  private static PlanPreviewBackEnd kernel(
      String name, long features, int pairs, BackEndProtocol protocol, BackEndProfile profile) {
    var can = new BackEndCapabilities(features, protocol, pairs, KERNEL_REGIONS, profile);
    return new PlanPreviewBackEnd(
        name, can, can.hasPresetup() ? PresetupMode.EXPLICIT : PresetupMode.IMPLICIT);
  }

  private static PlanPreviewBackEnd implicit(
      String name, long features, int pairs, BackEndProfile profile) {
    return new PlanPreviewBackEnd(
        name,
        new BackEndCapabilities(features, PROTOCOL_FEATURES, pairs, Dialect.UPSTREAM, profile),
        PresetupMode.IMPLICIT);
  }
}
