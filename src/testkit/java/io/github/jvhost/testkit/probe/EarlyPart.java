package io.github.jvhost.testkit.probe;

import io.github.jvhost.vhost.plan.Fact;

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

  /** Whether presetup sends it to a back end of this kind, with the value of the running device. */
  boolean isSentTo(Fact.Early to) {
    return switch (this) {
      case SIZE -> Fact.SIZE.isSettledEarly(to);
      case ADDRESS -> Fact.ADDRESS.isSettledEarly(to);
      case KICK -> Fact.KICK.isSettledEarly(to);
      case CALL -> Fact.CALL.isSettledEarly(to);
      case ENABLE, MEMORY, FEATURES, MTU -> true;
    };
  }
}
