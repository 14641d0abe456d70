package io.github.jvhost.testkit;

/**
 * Something that a front end must not do, and did. A back end that survives it still reports it: on
 * another one it would have lost packets.
 *
 * @param rule which rule
 * @param what what happened, one line
 */
public record RuleBreach(Rule rule, String what) {
  /** The rules that a mock back end watches over. */
  public enum Rule {
    /** SET_VRING_NUM while the ring was started. */
    SIZE_WHILE_STARTED,
    /** SET_VRING_BASE while the ring was started: it rewinds the ring. */
    BASE_WHILE_STARTED,
    /**
     * A ring was started whose size the back end does not know: it was never told, or the back end
     * forgot it at GET_VRING_BASE.
     */
    STARTED_WITHOUT_SIZE,
    /** SET_VRING_ADDR while the ring was started, with anything but the log flag changed. */
    ADDRESS_WHILE_STARTED,
    /**
     * SET_VRING_KICK while the ring was started: allowed where the notifier is a new one, never
     * needlessly.
     */
    KICK_WHILE_STARTED,
    /** SET_FEATURES while a ring was started, with anything but the log bit changed. */
    FEATURES_WHILE_STARTED,
    /** SET_STATUS(0) before every ring was stopped with GET_VRING_BASE. */
    RESET_WHILE_STARTED,
    /** A ring was started although guest memory was said not to be complete. */
    STARTED_ON_INCOMPLETE_MEMORY,
    /**
     * DRIVER_OK, a kick with a descriptor or GET_VRING_BASE between PRESETUP start and the final
     * start.
     */
    PRESETUP_ORDER,
    /** PRESETUP without STATUS: on real hardware the device would go live with stale rings. */
    PRESETUP_WITHOUT_STATUS,
    /** A message, an answer form or a feature bit that was not negotiated. */
    NOT_NEGOTIATED,
    /** A message that no front end should send any more. */
    DEPRECATED,
    /** SET_MEM_TABLE although memory slots were negotiated. */
    TABLE_WITH_SLOTS,
    /** ADD_MEM_REG before the region was removed that had its place, or the last slot. */
    REGION_ADDED_TOO_EARLY,
    /** The device's state was asked for, or given, before every ring was stopped. */
    STATE_WHILE_STARTED,
    /** SET_INFLIGHT_FD while a ring was started. */
    INFLIGHT_WHILE_STARTED,
    /** SET_INFLIGHT_FD before anything was told of a ring: DPDK gives it only to rings it knows. */
    INFLIGHT_BEFORE_RINGS,
    /** A protocol feature without another one that it needs. */
    FEATURE_NEEDS_ANOTHER,
    /** Something else than a guest address although GPA_ADDRESSES was negotiated. */
    NO_GUEST_ADDRESS,
    /** Postcopy out of its order, or with memory slots. */
    POSTCOPY_ORDER,
    /** SET_VRING_ENDIAN while the ring was started. */
    BYTE_ORDER_WHILE_STARTED
  }

  @Override
  public String toString() {
    return rule + ": " + what;
  }
}
