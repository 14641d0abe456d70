package io.github.jvhost.testkit;

import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import java.util.List;

/**
 * What a back end answers to one message, and what the message makes it do.
 *
 * @param verdict the kind of answer
 * @param answer the payload of the reply, for {@link Verdict#ANSWERED}
 * @param reason why it failed or hangs up; empty otherwise
 * @param effects in order
 */
public record Outcome(Verdict verdict, Payload answer, String reason, List<Effect> effects) {
  /** The kinds of answer. */
  public enum Verdict {
    /** Done: an acknowledgement of 0 where one was asked for. */
    DONE,
    /** A reply with a payload, asked for or not. */
    ANSWERED,
    /** An acknowledgement of 1 where one was asked for; otherwise it costs the connection. */
    FAILED,
    /** The connection is closed without an answer. */
    HUNG_UP
  }

  /** Copies the list. */
  public Outcome {
    effects = List.copyOf(effects);
  }

  /** Whether the message did what it asks for. */
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

  Outcome with(List<Effect> more) {
    return new Outcome(verdict, answer, reason, more);
  }
}
