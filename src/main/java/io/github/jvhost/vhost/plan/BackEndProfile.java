package io.github.jvhost.vhost.plan;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/**
 * What is known of a back end beyond what it says of itself on the wire: when it looks into guest
 * memory, what starts a ring, what it forgets when a ring stops. The planner relies on a profile
 * only where it was verified against the real thing; any other behaves as {@link #GENERIC}.
 */
public enum BackEndProfile {
  /**
   * Anything that speaks the protocol: the most careful assumption in every point but one. It is
   * taken at its word that a ring stops with nothing in flight, because either assumption harms a
   * back end of the other kind: going on at the used index repeats what was done, going on at the
   * base forgets what was not. So for libvhost-user say {@link #LIBVHOST_USER}.
   */
  GENERIC(true, false, false, true, true, true, false, false, StopKeeps.NOTHING),

  /**
   * DPDK's vhost library. Verified on the wire against DPDK 22.11: at GET_VRING_BASE it frees what
   * SET_VRING_NUM had it allocate, and a ring that starts again without SET_VRING_NUM crashes it.
   */
  DPDK(true, true, true, true, false, false, false, true, StopKeeps.ENABLE),

  /**
   * NVIDIA's VFE, a DPDK fork with a vDPA driver. Verified on the wire against the public fork in
   * software, without the hardware: it writes the first byte of guest memory only after DRIVER_OK,
   * with explicit presetup, too. What it keeps of a ring over GET_VRING_BASE was not tried, so a
   * ring is told everything again.
   */
  NVIDIA_VFE(true, true, true, true, true, false, false, true, StopKeeps.NOTHING),

  /**
   * libvhost-user of QEMU. Verified on the wire against qemu-storage-daemon 7.2, which offers
   * neither STATUS nor packed rings nor in-flight regions: what these do to it was not tried. A
   * ring is started by SET_VRING_KICK; the daemon of QEMU 7.2 then waits for the first signal, that
   * of QEMU 11 serves at once what already waits in the ring. passt behaves as this profile says.
   */
  LIBVHOST_USER(true, false, false, false, false, true, true, true, StopKeeps.SIZE_AND_ENABLE),

  /**
   * rust-vmm's vhost-user-backend. Read from its sources; not verified. Two things were seen on the
   * wire, at its vsock device: a ring is served only after SET_VRING_ENABLE, and one ring stops
   * alone.
   */
  RUST_VMM(false, false, false, false, false, true, false, false, StopKeeps.SIZE_AND_ENABLE);

  /**
   * What a back end keeps of a ring over GET_VRING_BASE, of what may have to be told again. None
   * promises the base, and every one forgets the kick.
   */
  enum StopKeeps {
    /** Nothing: crosvm and VPP give the ring back as it was before anything was told of it. */
    NOTHING,
    /** Whether it is enabled. */
    ENABLE,
    /** Its size, and whether it is enabled. */
    SIZE_AND_ENABLE
  }

  private final boolean verified;
  private final boolean holdsRingsUntilDriverOk;
  private final boolean takesUsedIndexAtTranslation;
  private final boolean stopsWholeDevice;
  private final boolean stopClearsStatus;
  private final boolean packedBaseCarriesUsed;
  private final boolean stopLeavesRequestsInFlight;
  private final boolean hangsUpOnRefusal;
  private final StopKeeps stopKeeps;

  BackEndProfile(
      boolean verified,
      boolean holdsRingsUntilDriverOk,
      boolean takesUsedIndexAtTranslation,
      boolean stopsWholeDevice,
      boolean stopClearsStatus,
      boolean packedBaseCarriesUsed,
      boolean stopLeavesRequestsInFlight,
      boolean hangsUpOnRefusal,
      StopKeeps stopKeeps) {
    this.verified = verified;
    this.holdsRingsUntilDriverOk = holdsRingsUntilDriverOk;
    this.takesUsedIndexAtTranslation = takesUsedIndexAtTranslation;
    this.stopsWholeDevice = stopsWholeDevice;
    this.stopClearsStatus = stopClearsStatus;
    this.packedBaseCarriesUsed = packedBaseCarriesUsed;
    this.stopLeavesRequestsInFlight = stopLeavesRequestsInFlight;
    this.hangsUpOnRefusal = hangsUpOnRefusal;
    this.stopKeeps = stopKeeps;
  }

  /** {@return whether the claims of this profile were tried against the real back end} */
  public boolean verified() {
    return verified;
  }

  /** The profile that is acted upon: this one where it was verified, otherwise GENERIC. */
  private BackEndProfile effective() {
    return verified ? this : GENERIC;
  }

  /**
   * {@return whether no ring is touched before DRIVER_OK where STATUS was negotiated, so that
   * addresses and kick may be told while guest memory is not complete}
   */
  public boolean holdsRingsUntilDriverOk() {
    return effective().holdsRingsUntilDriverOk;
  }

  /**
   * {@return whether the base is overwritten by the used index in guest memory when addresses are
   * translated}
   */
  public boolean takesUsedIndexAtTranslation() {
    return effective().takesUsedIndexAtTranslation;
  }

  /** {@return whether GET_VRING_BASE of any ring may stop all of them} */
  public boolean stopsWholeDevice() {
    return effective().stopsWholeDevice;
  }

  /** {@return whether GET_VRING_BASE may take DRIVER_OK away} */
  public boolean stopClearsStatus() {
    return effective().stopClearsStatus;
  }

  /**
   * {@return whether the answer to GET_VRING_BASE of a packed ring tells the used half truly} A
   * back end that is not known is taken at its word.
   */
  public boolean packedBaseCarriesUsed() {
    return effective().packedBaseCarriesUsed;
  }

  /**
   * {@return whether GET_VRING_BASE is answered while requests are still in flight, which then are
   * never completed} A split ring then goes on at its used index, so that they are done again, and
   * not at the base.
   */
  public boolean stopLeavesRequestsInFlight() {
    return effective().stopLeavesRequestsInFlight;
  }

  /**
   * {@return whether the connection ends where a message is refused that asks for no
   * acknowledgement} DPDK closes it on an error in a message's handler; libvhost-user panics, and
   * its program ends or closes the connection. Then the answer to a later request says that
   * everything before it was taken. Other back ends only write the refusal into their log and go
   * on, so each message has to ask for its own acknowledgement.
   */
  public boolean hangsUpOnRefusal() {
    return effective().hangsUpOnRefusal;
  }

  /** Whether a ring keeps as much as this over GET_VRING_BASE. */
  boolean keeps(StopKeeps atLeast) {
    return effective().stopKeeps.compareTo(atLeast) >= 0;
  }

  /**
   * {@return the profile of the name that people type: "generic", "dpdk", "vfe", "libvhost-user",
   * "rust-vmm"; empty: there is none}
   *
   * @param name in upper or lower case; the constant's own name will do, too
   */
  public static Optional<BackEndProfile> named(String name) {
    String wanted = name.toLowerCase(Locale.ROOT).replace('-', '_');
    return Arrays.stream(values())
        .filter(p -> p.name().equalsIgnoreCase(wanted) || p.shortName().equals(wanted))
        .findFirst();
  }

  private String shortName() {
    return this == NVIDIA_VFE ? "vfe" : name().toLowerCase(Locale.ROOT);
  }
}
