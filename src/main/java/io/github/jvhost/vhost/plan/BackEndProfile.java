package io.github.jvhost.vhost.plan;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * What is known of a back end beyond what it says on the wire: when it reads guest memory, what
 * starts a ring, and what it forgets when a ring stops. The planner relies on a profile only if it
 * was verified against the real back end. A profile that was not verified behaves as {@link
 * #GENERIC}.
 */
public enum BackEndProfile {
  /**
   * Any back end that speaks the protocol. In every point but one there is a careful assumption
   * that is right for all back ends, and this profile makes it. The one point is where a split ring
   * goes on after a stop. This profile takes the base that the back end answered, which loses
   * requests if the back end stopped before they were done. The other choice is the used index in
   * guest memory ({@link #LIBVHOST_USER}), which repeats requests that were done but are not in the
   * used ring yet. Choose {@link #LIBVHOST_USER} for libvhost-user.
   */
  GENERIC(
      StopKeeps.NOTHING,
      Habit.VERIFIED,
      Habit.STOPS_WHOLE_DEVICE,
      Habit.STOP_CLEARS_STATUS,
      Habit.PACKED_BASE_CARRIES_USED,
      Habit.JOINS_ADJOINING_TRANSLATIONS),

  /**
   * DPDK's vhost library. Verified on the wire against DPDK 22.11: at GET_VRING_BASE it frees what
   * it allocated at SET_VRING_NUM, and it crashes when a ring starts again without SET_VRING_NUM.
   * With an IOMMU it takes adjoining I/O virtual addresses for adjoining memory.
   */
  DPDK(
      StopKeeps.ENABLE,
      Habit.VERIFIED,
      Habit.HOLDS_RINGS_UNTIL_DRIVER_OK,
      Habit.TAKES_USED_INDEX_AT_TRANSLATION,
      Habit.SETTLES_RINGS_AT_KICK,
      Habit.STOPS_WHOLE_DEVICE,
      Habit.HANGS_UP_ON_REFUSAL,
      Habit.JOINS_ADJOINING_TRANSLATIONS),

  /**
   * NVIDIA's VFE, a DPDK fork with a vDPA driver. Verified on the wire against the public fork in
   * software, without the hardware: it writes the first byte of guest memory only after DRIVER_OK,
   * also with explicit presetup. What it keeps of a ring over GET_VRING_BASE was not tried, so
   * everything of a stopped ring is sent again.
   */
  NVIDIA_VFE(
      StopKeeps.NOTHING,
      Habit.VERIFIED,
      Habit.HOLDS_RINGS_UNTIL_DRIVER_OK,
      Habit.TAKES_USED_INDEX_AT_TRANSLATION,
      Habit.STOPS_WHOLE_DEVICE,
      Habit.STOP_CLEARS_STATUS,
      Habit.HANGS_UP_ON_REFUSAL,
      Habit.JOINS_ADJOINING_TRANSLATIONS),

  /**
   * libvhost-user of QEMU. Verified on the wire against qemu-storage-daemon 7.2, which offers
   * neither STATUS nor packed rings nor in-flight regions: what these do to it was not tried.
   * SET_VRING_KICK starts a ring. The daemon of QEMU 7.2 then waits for the first signal. The
   * daemon of QEMU 11 serves at once what already waits in the ring. passt behaves as this profile
   * says.
   */
  LIBVHOST_USER(
      StopKeeps.SIZE_AND_ENABLE,
      Habit.VERIFIED,
      Habit.PACKED_BASE_CARRIES_USED,
      Habit.STOP_LEAVES_REQUESTS_IN_FLIGHT,
      Habit.HANGS_UP_ON_REFUSAL),

  /**
   * rust-vmm's vhost-user-backend. This profile was read from its sources and was not verified. Two
   * things were seen on the wire, with its vsock device: it serves a ring only after
   * SET_VRING_ENABLE, and one ring can stop alone.
   */
  RUST_VMM(StopKeeps.SIZE_AND_ENABLE, Habit.PACKED_BASE_CARRIES_USED),

  /**
   * vhost-net of the kernel. Verified in a guest with Linux 6.12: before NET_SET_BACKEND it reads
   * and writes no byte of guest memory, and nothing is in flight after a stop. It keeps all of a
   * ring over a stop. Its carrier has this profile, whatever the options say.
   */
  VHOST_NET(StopKeeps.SIZE_AND_ENABLE, Habit.VERIFIED, Habit.PACKED_BASE_CARRIES_USED),

  /**
   * A vDPA device that can be suspended. Verified with the kernel's simulator alone, in a guest
   * with Linux 6.12: it writes no byte of guest memory before DRIVER_OK together with the enable of
   * a ring. SUSPEND stops all rings, and none changes its base or address without. It was also
   * started early on empty rings of ours and suspended; it went on with the guest's rings at the
   * right index, and wrote nothing before. Not every device was seen to do so, so that is off
   * unless the address asks for it. Its carrier has this profile, whatever the options say.
   */
  VHOST_VDPA(
      StopKeeps.SIZE_AND_ENABLE,
      Habit.VERIFIED,
      Habit.STOPS_WHOLE_DEVICE,
      Habit.PACKED_BASE_CARRIES_USED);

  /**
   * What a back end keeps of a ring over GET_VRING_BASE, so that it need not be sent again. No back
   * end promises to keep the base, and every back end forgets the kick.
   */
  enum StopKeeps {
    /** Nothing: crosvm and VPP return the ring to its initial state. */
    NOTHING,
    /** Whether it is enabled. */
    ENABLE,
    /** Its size, and whether it is enabled. */
    SIZE_AND_ENABLE
  }

  /** What is true of a back end; each has its question below. */
  private enum Habit {
    VERIFIED,
    HOLDS_RINGS_UNTIL_DRIVER_OK,
    TAKES_USED_INDEX_AT_TRANSLATION,
    SETTLES_RINGS_AT_KICK,
    STOPS_WHOLE_DEVICE,
    STOP_CLEARS_STATUS,
    PACKED_BASE_CARRIES_USED,
    STOP_LEAVES_REQUESTS_IN_FLIGHT,
    HANGS_UP_ON_REFUSAL,
    JOINS_ADJOINING_TRANSLATIONS
  }

  private final StopKeeps stopKeeps;

  @SuppressWarnings("ImmutableEnumChecker") // Set.of makes one that never changes
  private final Set<Habit> habits;

  BackEndProfile(StopKeeps stopKeeps, Habit... habits) {
    this.stopKeeps = stopKeeps;
    this.habits = Set.of(habits);
  }

  /** {@return whether the claims of this profile were tried against the real back end} */
  public boolean verified() {
    return habits.contains(Habit.VERIFIED);
  }

  /** This profile if it was verified, otherwise GENERIC. */
  private BackEndProfile effective() {
    return verified() ? this : GENERIC;
  }

  private boolean has(Habit habit) {
    return effective().habits.contains(habit);
  }

  /**
   * {@return whether the back end touches no ring before DRIVER_OK if STATUS was negotiated, so
   * that addresses and kick may be sent while guest memory is not complete}
   */
  public boolean holdsRingsUntilDriverOk() {
    return has(Habit.HOLDS_RINGS_UNTIL_DRIVER_OK);
  }

  /**
   * {@return whether the back end replaces the base by the used index in guest memory when it
   * translates addresses}
   */
  public boolean takesUsedIndexAtTranslation() {
    return has(Habit.TAKES_USED_INDEX_AT_TRANSLATION);
  }

  /**
   * {@return whether the back end translates a ring's addresses at its kick, whatever was
   * translated before} Then, before the first kick and DRIVER_OK, another size or other features
   * can be sent alone: all else that was sent counts as before. Verified with DPDK 22.11 as the
   * switch of mediated migrations whose prediction was wrong in one of them.
   */
  public boolean settlesRingsAtKick() {
    return has(Habit.SETTLES_RINGS_AT_KICK);
  }

  /** {@return whether GET_VRING_BASE of any ring may stop all of them} */
  public boolean stopsWholeDevice() {
    return has(Habit.STOPS_WHOLE_DEVICE);
  }

  /** {@return whether GET_VRING_BASE may take DRIVER_OK away} */
  public boolean stopClearsStatus() {
    return has(Habit.STOP_CLEARS_STATUS);
  }

  /**
   * {@return whether the used half of the answer to GET_VRING_BASE is right for a packed ring} It
   * is believed of a back end that is not known.
   */
  public boolean packedBaseCarriesUsed() {
    return has(Habit.PACKED_BASE_CARRIES_USED);
  }

  /**
   * {@return whether the back end answers GET_VRING_BASE while requests are in flight, and then
   * never completes them} A split ring then goes on at its used index, not at the base, so that
   * these requests are done again.
   */
  public boolean stopLeavesRequestsInFlight() {
    return has(Habit.STOP_LEAVES_REQUESTS_IN_FLIGHT);
  }

  /**
   * {@return whether the back end ends the connection when it refuses a message that asks for no
   * acknowledgement} DPDK closes it on an error in a message's handler; libvhost-user panics, and
   * its program ends or closes the connection. So the answer to a later request says that the back
   * end took everything before it. Other back ends only log the refusal and go on, so each message
   * has to ask for its own acknowledgement.
   */
  public boolean hangsUpOnRefusal() {
    return has(Habit.HANGS_UP_ON_REFUSAL);
  }

  /**
   * {@return whether the back end takes adjoining I/O virtual addresses for adjoining memory} Then
   * a ring or a buffer that runs over two pages has to lie in one piece of memory.
   */
  public boolean joinsAdjoiningTranslations() {
    return has(Habit.JOINS_ADJOINING_TRANSLATIONS);
  }

  /** Whether a ring keeps as much as this over GET_VRING_BASE. */
  boolean keeps(StopKeeps atLeast) {
    return effective().stopKeeps.compareTo(atLeast) >= 0;
  }

  /**
   * {@return the profile of a vhost-user back end with this name: "generic", "dpdk", "vfe",
   * "libvhost-user", "rust-vmm"; empty if there is none}
   *
   * @param name in upper or lower case; the name of the constant is accepted too
   */
  public static Optional<BackEndProfile> named(String name) {
    String wanted = name.toLowerCase(Locale.ROOT).replace('-', '_');
    return Arrays.stream(values())
        .filter(p -> p != VHOST_NET && p != VHOST_VDPA) // they belong to their carriers
        .filter(p -> p.name().equalsIgnoreCase(wanted) || p.shortName().equals(wanted))
        .findFirst();
  }

  private String shortName() {
    return this == NVIDIA_VFE ? "vfe" : name().toLowerCase(Locale.ROOT);
  }
}
