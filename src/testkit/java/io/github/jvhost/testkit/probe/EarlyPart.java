package io.github.jvhost.testkit.probe;

/** What a back end can be sent in presetup. */
public enum EarlyPart {
  /** SET_VRING_NUM of each ring. */
  SIZE,
  /** SET_VRING_ADDR of each ring. */
  ADDRESS,
  /** SET_VRING_KICK of each ring, with the final descriptor. */
  KICK,
  /** SET_VRING_CALL of each ring, with the final descriptor. */
  CALL,
  /** SET_VRING_ENABLE of each ring. */
  ENABLE,
  /** The guest's memory. */
  MEMORY,
  /** SET_FEATURES. */
  FEATURES,
  /** NET_SET_MTU. */
  MTU;

  /** {@return whether it is sent for each ring, and not once for the device} */
  public boolean isOfRing() {
    return compareTo(ENABLE) <= 0;
  }
}
