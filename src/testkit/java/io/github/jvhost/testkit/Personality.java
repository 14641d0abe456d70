package io.github.jvhost.testkit;

/**
 * How one known back end behaves where the specification leaves room, as plain data: what it reads
 * when, what makes it touch a ring, and what it forgets. The constants follow the sources of the
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

  /** QEMU's libvhost-user: every told kick starts its ring; legacy drivers are refused. */
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
   * The devices of crosvm: GET_VRING_BASE gives back a ring as it was before anything was told of
   * it, and a kick needs a call. Read from its {@code vhost_user_backend/handler.rs}: {@code
   * get_vring_base} calls {@code Vring::reset}, which drops doorbell, enable and the whole queue
   * configuration; {@code set_vring_kick} activates the queue at once, and refuses without a
   * doorbell or a descriptor. Of a ring that does not run, the answer is 0.
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
   * NVIDIA's VFE, a DPDK fork in front of vDPA hardware: the used index in guest memory is the
   * truth at DRIVER_OK.
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

  /** What makes a back end touch a ring whose size and addresses it knows. */
  public enum Start {
    /** The kick, with or without a descriptor. Where PRESETUP was negotiated, DRIVER_OK as well. */
    KICK,
    /** A kick with a descriptor, and the ring is enabled. */
    KICK_AND_ENABLE,
    /**
     * Rings 0 and 1 both translated, kick and call told and enabled; DRIVER_OK where STATUS was
     * negotiated. So GET_VRING_BASE of ring 0 or 1 stops every ring.
     */
    DEVICE_READY
  }

  /** When the used index of a split ring is read from guest memory. */
  enum IndexRead {
    /** The moment SET_VRING_ADDR is told. */
    AT_ADDRESS,
    /** The moment SET_VRING_KICK is told, or SET_VRING_ADDR on an enabled ring. */
    AT_KICK,
    /** When the ring is started. */
    AT_START
  }

  /** What the used index that was read overwrites. */
  public enum IndexRule {
    /** Nothing, it is not even read: what SET_VRING_BASE said holds. */
    NOTHING,
    /** Only the next used index. */
    USED_ONLY,
    /** The next avail index too, whatever SET_VRING_BASE said before. */
    BOTH
  }

  /** What one GET_VRING_BASE makes a back end forget about that ring, besides stopping it. */
  enum Forgets {
    /** Only the kick: a new one is needed to start the ring again. */
    KICK,
    /** The kick and the call. */
    KICK_CALL,
    /**
     * The kick, the call, the addresses, and what SET_VRING_NUM made. DPDK 22.11 frees its shadow
     * ring and its batch of copies there and keeps the number: a ring that is started again without
     * SET_VRING_NUM crashes the switch at its first packet.
     */
    KICK_CALL_ADDRESS_SIZE,
    /** All that was told of the ring, its size, base and enable included. */
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

  /** {@return what makes it touch a ring} */
  public Start start() {
    return start;
  }

  /** {@return when it reads the used index from guest memory} */
  IndexRead indexRead() {
    return indexRead;
  }

  /** {@return what the used index that it read overwrites} */
  public IndexRule indexRule() {
    return indexRule;
  }

  /** {@return what GET_VRING_BASE makes it forget} */
  Forgets forgets() {
    return forgets;
  }

  /**
   * {@return whether it can be asked for PRESETUP at all, in a dialect that has a number for it}
   */
  public boolean knowsPresetup() {
    return has(Traits.KNOWS_PRESETUP);
  }

  /** {@return whether the original offers STATUS, and this one therefore by default} */
  public boolean offersStatus() {
    return has(Traits.OFFERS_STATUS);
  }

  /** {@return whether SET_VRING_BASE sets the next used index along with the next avail index} */
  public boolean baseSetsUsed() {
    return has(Traits.BASE_SETS_USED);
  }

  /**
   * {@return whether an acknowledgement goes out before a started device is configured} It then
   * says nothing about that.
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

  /** {@return whether features without MQ make it forget all rings but 0 and 1} */
  boolean dropsRingsWithoutMq() {
    return has(Traits.DROPS_RINGS_WITHOUT_MQ);
  }

  /**
   * {@return whether ring addresses outside the memory table are acknowledged with success, and
   * only never used}
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

  /** {@return whether a call descriptor is signalled once as soon as it is told} */
  boolean signalsNewCall() {
    return has(Traits.SIGNALS_NEW_CALL);
  }

  /**
   * {@return whether an unknown message costs the connection even when an acknowledgement was asked
   * for}
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

  /** {@return whether rings 0 and 1 are enabled before anybody says so, and after each stop} */
  boolean enablesFirstPair() {
    return has(Traits.ENABLES_FIRST_PAIR);
  }

  private boolean has(int trait) {
    return (traits & trait) != 0;
  }
}
