package io.github.jvhost.testkit;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.OpaquePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import java.util.List;

/** A back end's answer to one message, and the effects of the message. Immutable. */
public final class Outcome {
  /** The kinds of answer. */
  public enum Verdict {
    /** Success: an acknowledgement of 0 if one was asked for. */
    DONE,
    /** A reply with a payload, asked for or not. */
    ANSWERED,
    /** An acknowledgement of 1 if one was asked for; otherwise the connection is closed. */
    FAILED,
    /** The connection is closed without an answer. */
    HUNG_UP
  }

  private final Verdict verdict;
  private final Payload answer;
  private final String reason;
  private final List<Effect> effects;

  private Outcome(Verdict verdict, Payload answer, String reason, List<Effect> effects) {
    this.verdict = verdict;
    this.answer = answer;
    this.reason = reason;
    this.effects = List.copyOf(effects);
  }

  /** {@return the kind of answer} */
  public Verdict verdict() {
    return verdict;
  }

  /**
   * {@return the payload of the reply, for {@link Verdict#ANSWERED}; for {@link Verdict#FAILED} the
   * request's own answer for a failure, if it has one, else {@link NoPayload#INSTANCE}}
   */
  public Payload answer() {
    return answer;
  }

  /** {@return why it failed or hangs up; empty otherwise} */
  public String reason() {
    return reason;
  }

  /** What has to be done, in order. */
  List<Effect> effects() {
    return effects;
  }

  /** {@return whether the message took effect} */
  public boolean tookEffect() {
    return verdict == Verdict.DONE || verdict == Verdict.ANSWERED;
  }

  static Outcome done() {
    return new Outcome(Verdict.DONE, NoPayload.INSTANCE, "", List.of());
  }

  static Outcome answered(Payload answer) {
    return new Outcome(Verdict.ANSWERED, answer, "", List.of());
  }

  static Outcome failed(String reason) {
    return new Outcome(Verdict.FAILED, NoPayload.INSTANCE, reason, List.of());
  }

  static Outcome hungUp(String reason) {
    return new Outcome(Verdict.HUNG_UP, NoPayload.INSTANCE, reason, List.of());
  }

  /**
   * Turns a failure into the request's own answer for it, if it has one. Most requests fail with an
   * acknowledgement only.
   */
  Outcome inAnswerTo(FrontEndRequest request) {
    if (verdict != Verdict.FAILED) {
      return this;
    }
    Payload form =
        switch (request) {
          case SET_DEVICE_STATE_FD, CHECK_DEVICE_STATE, POSTCOPY_END, GET_SHARED_OBJECT ->
              new U64(1);
          case GET_CONFIG -> new OpaquePayload(Bytes.EMPTY);
          case GET_INFLIGHT_FD -> new Inflight(0, 0, 0, 0);
          default -> NoPayload.INSTANCE;
        };
    return new Outcome(Verdict.FAILED, form, reason, effects);
  }

  Outcome with(List<Effect> more) {
    return new Outcome(verdict, answer, reason, more);
  }

  Outcome answering(Payload other) {
    return new Outcome(verdict, other, reason, effects);
  }

  @Override
  public String toString() {
    return "%s %s %s %s".formatted(verdict, answer, reason, effects);
  }
}
