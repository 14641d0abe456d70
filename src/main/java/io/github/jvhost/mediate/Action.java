package io.github.jvhost.mediate;

import io.github.jvhost.protocol.Payload;

/** What a message of the front end asks the mediator to do. */
sealed interface Action {
  /** {@return whether the message has an answer, also if none is asked for} */
  default boolean isAnswered() {
    return switch (this) {
      case Answer _, ChangedAndAnswered _, Stop _ -> true;
      case Changed _, Noted _, Start _, Reset _, Announce _ -> false;
    };
  }

  /**
   * The mediator knows the answer.
   *
   * @param payload of the answer
   */
  record Answer(Payload payload) implements Action {}

  /**
   * The message has changed what the switch is to hold. A device that runs is changed at once, and
   * the front end gets the switch's answer.
   */
  record Changed() implements Action {}

  /** The same, and this message is always answered: SET_LOG_BASE. */
  record ChangedAndAnswered() implements Action {}

  /** The message changes nothing that the switch holds. */
  record Noted() implements Action {}

  /** DRIVER_OK: the device is to run. */
  record Start() implements Action {}

  /** The status is 0 now: the device is to stop, if it still runs. */
  record Reset() implements Action {}

  /**
   * GET_VRING_BASE: the device is to stop, if it still runs, and the front end is told where this
   * ring goes on.
   *
   * @param ring vring index
   */
  record Stop(int ring) implements Action {}

  /**
   * SEND_RARP: the switch is asked to announce the guest.
   *
   * @param mac six bytes, in wire order
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Announce(byte[] mac) implements Action {}
}
