package io.github.jvhost.vhost.plan;

/** Why a step is in a plan. */
public enum Why {
  /** The back end was never sent it. */
  NOT_SENT("not sent yet"),
  /** The back end holds another value. */
  CHANGED("changed"),
  /** The back end may hold anything. */
  UNKNOWN("what the back end holds is not known"),
  /** The base of presetup was only for the time being, because the ring was still running. */
  EARLY_BASE("a ring's base is only known once it stopped"),
  /** A changed table changes every address that was translated with it. */
  MEMORY_CHANGED("memory table changed, so ring addresses are sent again"),
  /**
   * The used index in guest memory and the base differ, and this back end reads it when it
   * translates addresses.
   */
  USED_INDEX_DIFFERS("base differs from the used index in guest memory"),
  /** The ring cannot take the change while it runs. */
  STOP_FIRST("has to stop before it can change"),
  /** This back end stops all rings when one of them stops. */
  STOPS_TOGETHER("the back end stops the whole device with any ring"),
  /** The device is to stop. */
  STOP("device stops"),
  /** The driver has taken the ring down. */
  RING_GONE("the driver has taken the ring down"),
  /** Whether the ring runs is not known. */
  RUN_UNKNOWN("whether the ring runs is not known"),
  /** Features may not change once FEATURES_OK was sent. */
  RENEGOTIATE("features change after FEATURES_OK"),
  /** The device starts with this. */
  START("device starts"),
  /** Features are settled. */
  FEATURES_SETTLED("features are settled"),
  /** A check that is made while the guest still runs. */
  CHECK("checked while there is time"),
  /** The messages around explicit presetup. */
  PRESETUP("presetup"),
  /** The next back end has to know the requests that this one has in flight. */
  INFLIGHT("what is in flight has to outlive the back end"),
  /** The region of memory is not in use any more, or another is in its place. */
  REGION_GONE("the region is gone"),
  /** The guest has mapped something else there, or nothing. */
  UNMAPPED("the guest has unmapped it"),
  /** The answer comes when no thread of the back end uses what was withdrawn. */
  INVALIDATED("waits for what still uses the translations"),
  /** Dirty logging is switched on or off. */
  LOGGING("dirty logging"),
  /** The baseline sends everything, as QEMU does. */
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
