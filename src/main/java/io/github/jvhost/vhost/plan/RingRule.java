package io.github.jvhost.vhost.plan;

/**
 * What may be told of a vring when: the table of docs/architecture.md as data. "Telling more is
 * always safe" is false: a base that is told to a running ring rewinds it, an address makes some
 * back ends read guest memory at once.
 *
 * <pre>
 *   told      ring stopped                 ring started
 *   size      yes                          stop first
 *   base      yes, once RAM is complete    never: it rewinds the ring
 *   address   yes, once RAM is complete    only to change the log flag
 *   kick      yes; may start the ring      stop first: crosvm refuses to start a ring twice
 *   call      yes                          yes
 *   err       yes                          yes
 *   endian    yes                          stop first
 *   enable    yes                          yes
 * </pre>
 */
enum RingRule {
  /** SET_VRING_NUM. */
  SIZE(WhileStarted.STOP_FIRST, false),
  /** SET_VRING_BASE. */
  BASE(WhileStarted.NEVER, true),
  /** SET_VRING_ADDR. */
  ADDRESS(WhileStarted.STOP_FIRST, true),
  /** The log flag of SET_VRING_ADDR. */
  LOG_FLAG(WhileStarted.YES, false),
  /** SET_VRING_KICK. */
  KICK(WhileStarted.STOP_FIRST, true),
  /** SET_VRING_CALL. */
  CALL(WhileStarted.YES, false),
  /** SET_VRING_ERR. */
  ERR(WhileStarted.YES, false),
  /** SET_VRING_ENDIAN. */
  ORDER(WhileStarted.STOP_FIRST, false),
  /** SET_VRING_ENABLE. */
  ENABLE(WhileStarted.YES, false);

  /** What a changed value means for a ring that is served. */
  enum WhileStarted {
    /** It is told. */
    YES,
    /** The ring is stopped, told, and started again. */
    STOP_FIRST,
    /** It is not told: the ring itself knows better. */
    NEVER
  }

  private final WhileStarted whileStarted;
  private final boolean needsCompleteMemory;

  RingRule(WhileStarted whileStarted, boolean needsCompleteMemory) {
    this.whileStarted = whileStarted;
    this.needsCompleteMemory = needsCompleteMemory;
  }

  /** {@return what a changed value means for a ring that is served} */
  WhileStarted whileStarted() {
    return whileStarted;
  }

  /** {@return whether an unknown back end may look into guest memory when it is told} */
  boolean needsCompleteMemory() {
    return needsCompleteMemory;
  }
}
