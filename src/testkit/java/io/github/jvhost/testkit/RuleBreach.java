package io.github.jvhost.testkit;

/**
 * Something that a front end did although it must not. The mock back end records it even if it does
 * no harm here, because another back end would lose packets.
 *
 * @param rule which rule
 * @param what what happened, in one line
 */
public record RuleBreach(Rule rule, String what) {
  /** The rules that a mock back end checks. */
  public enum Rule {
    /** SET_VRING_NUM while the ring was started. */
    SIZE_WHILE_STARTED,
    /** SET_VRING_BASE while the ring was started: it rewinds the ring. */
    BASE_WHILE_STARTED,
    /**
     * A ring was started whose size the back end does not know: no size was sent, or the back end
     * forgot it at GET_VRING_BASE.
     */
    STARTED_WITHOUT_SIZE,
    /** SET_VRING_ADDR while the ring was started, with anything but the log flag changed. */
    ADDRESS_WHILE_STARTED,
    /** SET_VRING_KICK while the ring was started. It is allowed only for a new eventfd. */
    KICK_WHILE_STARTED,
    /** SET_FEATURES while a ring was started, with anything but the log bit changed. */
    FEATURES_WHILE_STARTED,
    /** SET_STATUS(0) before every ring was stopped with GET_VRING_BASE. */
    RESET_WHILE_STARTED,
    /** A ring was started while guest memory was marked as incomplete. */
    STARTED_ON_INCOMPLETE_MEMORY,
    /**
     * DRIVER_OK or GET_VRING_BASE between PRESETUP start and the final start; also a kick with a
     * descriptor, if the back end is not known to touch no ring before DRIVER_OK.
     */
    PRESETUP_ORDER,
    /** PRESETUP without STATUS: real hardware would start the device with stale rings. */
    PRESETUP_WITHOUT_STATUS,
    /** A message, a form of answer or a feature bit that was not negotiated. */
    NOT_NEGOTIATED,
    /** A deprecated message. */
    DEPRECATED,
    /** SET_MEM_TABLE although memory slots were negotiated. */
    TABLE_WITH_SLOTS,
    /** ADD_MEM_REG although another region still has that place or the last slot. */
    REGION_ADDED_TOO_EARLY,
    /** A transfer of the device's state before every ring was stopped. */
    STATE_WHILE_STARTED,
    /** SET_INFLIGHT_FD while a ring was started. */
    INFLIGHT_WHILE_STARTED,
    /**
     * SET_INFLIGHT_FD before any message about a ring: DPDK applies it only to rings that it knows.
     */
    INFLIGHT_BEFORE_RINGS,
    /** A protocol feature without another one that it needs. */
    FEATURE_NEEDS_ANOTHER,
    /** An address that is no guest address although GPA_ADDRESSES was negotiated. */
    NO_GUEST_ADDRESS,
    /** Postcopy messages in a wrong order, or with memory slots. */
    POSTCOPY_ORDER,
    /** SET_VRING_ENDIAN while the ring was started. */
    BYTE_ORDER_WHILE_STARTED,
    /**
     * A ring's addresses before SET_FEATURES with IOMMU_PLATFORM: the back end took them for user
     * addresses.
     */
    RING_BEFORE_IOMMU,
    /** A translation before any message about a ring: DPDK acknowledges it and keeps nothing. */
    TRANSLATION_BEFORE_RINGS,
    /**
     * A translation that differs from one which begins at the same address and was not invalidated:
     * DPDK acknowledges it and goes on with the old one.
     */
    TRANSLATION_NOT_INVALIDATED,
    /**
     * An invalidation of a range that ends behind the last address: DPDK acknowledges it and
     * removes nothing.
     */
    INVALIDATION_WRAPS,
    /**
     * The back end used a translation after its invalidation was acknowledged, because no message
     * that takes the ring's lock followed (see {@link IotlbModel#holdsBursts()}). The page may
     * belong to somebody else by then.
     */
    USED_AFTER_INVALIDATION,
    /** A memory region was removed while translations pointed into it. */
    TRANSLATION_INTO_REMOVED_REGION,
    /**
     * A message that the back end cannot take, bytes that are no message, or half a message before
     * the end of the connection. It is recorded when the back end hangs up because of it and the
     * message breaks no other rule. If the front end asked for an acknowledgement, it gets one of
     * failure and no breach is recorded.
     */
    MALFORMED
  }

  @Override
  public String toString() {
    return rule + ": " + what;
  }
}
