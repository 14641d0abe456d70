package io.github.jvhost.testkit;

/**
 * How one known back end behaves where the specification leaves a choice: when it reads the used
 * index, what starts a ring, and what it forgets at a stop. The constants follow the sources of the
 * back ends that they are named after; {@link #GENERIC} follows the text of the specification.
 */
public enum Personality {
  /** The specification's text: an arriving kick starts a ring that is described completely. */
  GENERIC(
      Start.KICK,
      IndexRead.AT_START,
      IndexRule.USED_ONLY,
      Forgets.KICK,
      Traits.KNOWS_PRESETUP,
      Traits.OFFERS_STATUS),

  /** DPDK's vhost library: nothing runs until the whole device is ready. */
  DPDK(
      Start.DEVICE_READY,
      IndexRead.AT_KICK,
      IndexRule.BOTH,
      Forgets.KICK_CALL_ADDRESS_SIZE,
      Traits.OFFERS_STATUS,
      Traits.BASE_SETS_USED,
      Traits.ACKNOWLEDGES_FIRST,
      Traits.KEEPS_EQUAL_MEMORY,
      Traits.TOLERATES_FOREIGN_ADDRESS,
      Traits.ENABLES_AT_KICK,
      Traits.DROPS_RINGS_WITHOUT_MQ),

  /**
   * QEMU's libvhost-user: every kick eventfd that is sent starts its ring; legacy drivers are
   * refused.
   */
  LIBVHOST_USER(
      Start.KICK,
      IndexRead.AT_ADDRESS,
      IndexRule.BOTH,
      Forgets.KICK_CALL,
      Traits.REFUSES_LEGACY,
      Traits.SIGNALS_NEW_CALL,
      Traits.HANGS_UP_ON_UNKNOWN),

  /** rust-vmm's vhost-user-backend: a kick with a descriptor starts a ring that is also enabled. */
  RUST_VMM(
      Start.KICK_AND_ENABLE,
      IndexRead.AT_ADDRESS,
      IndexRule.USED_ONLY,
      Forgets.KICK_CALL,
      Traits.HANGS_UP_ON_UNKNOWN),

  /**
   * The devices of crosvm: GET_VRING_BASE resets a ring completely, and a kick needs a call. Read
   * from its {@code vhost_user_backend/handler.rs}: {@code get_vring_base} calls {@code
   * Vring::reset}, which drops doorbell, enable and the whole queue configuration; {@code
   * set_vring_kick} activates the queue at once, and refuses without a doorbell or a descriptor.
   * For a ring that does not run, the answer is 0.
   */
  CROSVM(
      Start.KICK,
      IndexRead.AT_START,
      IndexRule.NOTHING,
      Forgets.EVERYTHING,
      Traits.BASE_SETS_USED,
      Traits.STARTS_BY_DESCRIPTORS_ONLY,
      Traits.STOPPED_BASE_IS_ZERO,
      Traits.HANGS_UP_ON_UNKNOWN),

  /**
   * VPP's vhost-user interface: GET_VRING_BASE wipes a ring, and of the wiped ones only 0 and 1 are
   * enabled. Read from its {@code vhost_user.c}: {@code vhost_user_vring_close} ends in {@code
   * vhost_user_vring_init}, which clears the whole ring and enables rings 0 and 1.
   */
  VPP(
      Start.KICK,
      IndexRead.AT_ADDRESS,
      IndexRule.BOTH,
      Forgets.EVERYTHING,
      Traits.ENABLES_FIRST_PAIR,
      Traits.HANGS_UP_ON_UNKNOWN),

  /**
   * NVIDIA's VFE, a DPDK fork in front of vDPA hardware: the used index in guest memory replaces
   * both indexes at DRIVER_OK.
   */
  VFE(
      Start.DEVICE_READY,
      IndexRead.AT_KICK,
      IndexRule.BOTH,
      Forgets.KICK_CALL_ADDRESS_SIZE,
      Traits.KNOWS_PRESETUP,
      Traits.OFFERS_STATUS,
      Traits.BASE_SETS_USED,
      Traits.ACKNOWLEDGES_FIRST,
      Traits.KEEPS_EQUAL_MEMORY,
      Traits.TOLERATES_FOREIGN_ADDRESS,
      Traits.ENABLES_AT_KICK,
      Traits.DROPS_RINGS_WITHOUT_MQ,
      Traits.INDEX_AT_DRIVER_OK,
      Traits.FORGETS_DRIVER_OK);

  /** What starts a ring whose size and addresses the back end knows. */
  public enum Start {
    /** The kick, with or without a descriptor. If PRESETUP was negotiated, DRIVER_OK as well. */
    KICK,
    /** A kick with a descriptor, and the ring is enabled. */
    KICK_AND_ENABLE,
    /**
     * Rings 0 and 1 both have translated addresses, a kick and a call, and are enabled; DRIVER_OK
     * too if STATUS was negotiated. So GET_VRING_BASE of ring 0 or 1 stops every ring.
     */
    DEVICE_READY
  }

  /** When the used index of a split ring is read from guest memory. */
  enum IndexRead {
    /** When SET_VRING_ADDR arrives. */
    AT_ADDRESS,
    /** When SET_VRING_KICK arrives, or SET_VRING_ADDR for an enabled ring. */
    AT_KICK,
    /** When the ring is started. */
    AT_START
  }

  /** Which indexes the used index from guest memory replaces. */
  public enum IndexRule {
    /** None. It is not read, and the base of SET_VRING_BASE stays. */
    NOTHING,
    /** Only the next used index. */
    USED_ONLY,
    /** The next avail index too, whatever SET_VRING_BASE has set. */
    BOTH
  }

  /** What a back end forgets of a ring when GET_VRING_BASE stops it. */
  enum Forgets {
    /** Only the kick: a new one is needed to start the ring again. */
    KICK,
    /** The kick and the call. */
    KICK_CALL,
    /**
     * The kick, the call, the addresses, and what SET_VRING_NUM allocated. DPDK 22.11 frees its
     * shadow ring and its batch of copies there and keeps the number. A ring that is started again
     * without SET_VRING_NUM crashes the switch at its first packet.
     */
    KICK_CALL_ADDRESS_SIZE,
    /** Everything, size, base and enable included. */
    EVERYTHING
  }

  /** Yes-or-no traits, one bit each. */
  private static final class Traits {
    static final int KNOWS_PRESETUP = 1 << 0;
    static final int OFFERS_STATUS = 1 << 1;
    static final int BASE_SETS_USED = 1 << 2;
    static final int ACKNOWLEDGES_FIRST = 1 << 3;
    static final int KEEPS_EQUAL_MEMORY = 1 << 4;
    static final int DROPS_RINGS_WITHOUT_MQ = 1 << 5;
    static final int TOLERATES_FOREIGN_ADDRESS = 1 << 6;
    static final int ENABLES_AT_KICK = 1 << 7;
    static final int INDEX_AT_DRIVER_OK = 1 << 8;
    static final int FORGETS_DRIVER_OK = 1 << 9;
    static final int REFUSES_LEGACY = 1 << 10;
    static final int SIGNALS_NEW_CALL = 1 << 11;
    static final int HANGS_UP_ON_UNKNOWN = 1 << 12;
    static final int STARTS_BY_DESCRIPTORS_ONLY = 1 << 13;
    static final int STOPPED_BASE_IS_ZERO = 1 << 14;
    static final int ENABLES_FIRST_PAIR = 1 << 15;

    private Traits() {}
  }

  private final Start start;
  private final IndexRead indexRead;
  private final IndexRule indexRule;
  private final Forgets forgets;
  private final int traits;

  Personality(
      Start start, IndexRead indexRead, IndexRule indexRule, Forgets forgets, int... traits) {
    this.start = start;
    this.indexRead = indexRead;
    this.indexRule = indexRule;
    this.forgets = forgets;
    int bits = 0;
    for (int trait : traits) {
      bits |= trait;
    }
    this.traits = bits;
  }

  /** {@return what starts a ring} */
  public Start start() {
    return start;
  }

  /** {@return when it reads the used index from guest memory} */
  IndexRead indexRead() {
    return indexRead;
  }

  /** {@return which indexes the used index from guest memory replaces} */
  public IndexRule indexRule() {
    return indexRule;
  }

  /** {@return what it forgets at GET_VRING_BASE} */
  Forgets forgets() {
    return forgets;
  }

  /** {@return whether it supports PRESETUP in a dialect that has a number for it} */
  public boolean knowsPresetup() {
    return has(Traits.KNOWS_PRESETUP);
  }

  /** {@return whether the original offers STATUS; the mock then offers it by default} */
  public boolean offersStatus() {
    return has(Traits.OFFERS_STATUS);
  }

  /** {@return whether SET_VRING_BASE sets the next used index along with the next avail index} */
  public boolean baseSetsUsed() {
    return has(Traits.BASE_SETS_USED);
  }

  /**
   * {@return whether it sends the acknowledgement before it configures a started device} The
   * acknowledgement then does not show whether that succeeded.
   */
  boolean acknowledgesFirst() {
    return has(Traits.ACKNOWLEDGES_FIRST);
  }

  /**
   * {@return whether an equal memory table is dropped together with its descriptors, instead of
   * being mapped again}
   */
  boolean keepsEqualMemory() {
    return has(Traits.KEEPS_EQUAL_MEMORY);
  }

  /** {@return whether it forgets all rings but 0 and 1 when it receives features without MQ} */
  boolean dropsRingsWithoutMq() {
    return has(Traits.DROPS_RINGS_WITHOUT_MQ);
  }

  /**
   * {@return whether it acknowledges ring addresses outside the memory table with success, and then
   * never uses them}
   */
  boolean toleratesForeignAddress() {
    return has(Traits.TOLERATES_FOREIGN_ADDRESS);
  }

  /** {@return whether, without bit 30, a ring is enabled by its kick and not by SET_FEATURES} */
  boolean enablesAtKick() {
    return has(Traits.ENABLES_AT_KICK);
  }

  /** {@return whether the used index in guest memory replaces both indexes when DRIVER_OK comes} */
  boolean readsIndexAtDriverOk() {
    return has(Traits.INDEX_AT_DRIVER_OK);
  }

  /** {@return whether GET_VRING_BASE also clears DRIVER_OK and what was configured in hardware} */
  boolean forgetsDriverOk() {
    return has(Traits.FORGETS_DRIVER_OK);
  }

  /** {@return whether features without VERSION_1 are refused} */
  boolean refusesLegacy() {
    return has(Traits.REFUSES_LEGACY);
  }

  /** {@return whether it signals a call eventfd once as soon as it receives it} */
  boolean signalsNewCall() {
    return has(Traits.SIGNALS_NEW_CALL);
  }

  /**
   * {@return whether it closes the connection at an unknown message even if an acknowledgement was
   * asked for}
   */
  boolean hangsUpOnUnknown() {
    return has(Traits.HANGS_UP_ON_UNKNOWN);
  }

  /**
   * {@return whether a kick or a call without a descriptor is refused, and a kick before a call,
   * because a ring that is kicked starts at once}
   */
  boolean startsByDescriptorsOnly() {
    return has(Traits.STARTS_BY_DESCRIPTORS_ONLY);
  }

  /** {@return whether GET_VRING_BASE of a ring that does not run answers 0 and does nothing} */
  boolean stoppedBaseIsZero() {
    return has(Traits.STOPPED_BASE_IS_ZERO);
  }

  /**
   * {@return whether rings 0 and 1 are enabled at first and after each stop, without
   * SET_VRING_ENABLE}
   */
  boolean enablesFirstPair() {
    return has(Traits.ENABLES_FIRST_PAIR);
  }

  private boolean has(int trait) {
    return (traits & trait) != 0;
  }
}
