package io.github.jvhost.vhost.plan;

/** Why a step is in a plan. */
public enum Why {
  /** The back end does not know it. */
  NOT_TOLD("not told yet"),
  /** The back end knows another value. */
  CHANGED("changed"),
  /** The back end may know anything. */
  UNKNOWN("what the back end holds is not known"),
  /** An early base comes from a ring that was running: it says nothing. */
  EARLY_BASE("a ring's base is only known once it stopped"),
  /** A changed table moves everything that was translated through it. */
  MEMORY_CHANGED("memory table changed, so ring addresses are told again"),
  /**
   * The index in guest memory and the base disagree, and this back end looks when it translates.
   */
  USED_INDEX_DIFFERS("base differs from the used index in guest memory"),
  /** The ring cannot take the change while it runs. */
  STOP_FIRST("has to stop before it can change"),
  /** This back end stops all rings when one of them stops. */
  STOPS_TOGETHER("the back end stops the whole device with any ring"),
  /** The device is to stop. */
  STOP("device stops"),
  /** The driver did away with the ring. */
  RING_GONE("the driver has taken the ring down"),
  /** Nobody knows whether the ring runs. */
  RUN_UNKNOWN("whether the ring runs is not known"),
  /** Features may not change once FEATURES_OK was told. */
  RENEGOTIATE("features change after FEATURES_OK"),
  /** The device starts with this. */
  START("device starts"),
  /** Features are settled. */
  FEATURES_SETTLED("features are settled"),
  /** A check that is better made while the guest still runs. */
  CHECK("checked while there is time"),
  /** The frame around an explicit early set-up. */
  PRESETUP("early set-up"),
  /** Whoever comes after this back end has to know what it has in flight. */
  INFLIGHT("what is in flight has to outlive the back end"),
  /** The region of memory is not in use any more, or another is in its place. */
  REGION_GONE("the region is gone"),
  /** Dirty logging is switched. */
  LOGGING("dirty logging"),
  /** The baseline tells everything, as QEMU does. */
  QEMU_ORDER("as QEMU does");

  private final String text;

  Why(String text) {
    this.text = text;
  }

  /** {@return the reason in words, as plans print it} */
  public String text() {
    return text;
  }
}
