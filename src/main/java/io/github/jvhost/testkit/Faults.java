package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What a mock back end shall do wrong, and when: plain data. Messages and occurrences are counted
 * from 1, from the moment that the script was armed, over all connections: what was done once is
 * not done again after a reconnect.
 *
 * @param script the faults; where several apply to one message, the first one wins
 */
public record Faults(List<Fault> script) {
  /** Copies the list. */
  public Faults {
    script = List.copyOf(script);
  }

  /** When a fault applies. */
  public sealed interface When {
    /** At this occurrence of this request, from 1. */
    record Occurrence(FrontEndRequest request, int nth) implements When {
      /** Checks the count. */
      public Occurrence {
        requirePositive(nth);
      }
    }

    /** At this message, whatever it is, from 1. */
    record Message(int nth) implements When {
      /** Checks the count. */
      public Message {
        requirePositive(nth);
      }
    }
  }

  /** What is done wrong. */
  public sealed interface Wrong {
    /**
     * The message has no effect and is acknowledged with 1; where nobody asked, it costs the
     * connection.
     */
    record Refuse() implements Wrong {}

    /** The answer, asked for or not, comes this much later; nothing else is done meanwhile. */
    record Delay(Duration by) implements Wrong {}

    /** The answer ends in the middle, and with it the connection. */
    record ShortReply() implements Wrong {}

    /** The answer's payload is four bytes longer than its layout, and its header says so. */
    record WrongSize() implements Wrong {}

    /** The answer carries another request's number. */
    record WrongId() implements Wrong {}

    /** The answer carries these flags, such as 0xD: NEED_REPLY echoed. */
    record ReplyFlags(int flags) implements Wrong {}

    /** The connection is closed instead of doing anything. */
    record HangUpBefore() implements Wrong {}

    /** The connection is closed after the message took effect and was answered. */
    record HangUpAfter() implements Wrong {}

    /** This message and all later ones are left in the socket, until the front end goes. */
    record NeverRead() implements Wrong {}
  }

  /** One fault. */
  public record Fault(When when, Wrong wrong) {}

  /** A back end without faults. */
  public static Faults none() {
    return new Faults(List.of());
  }

  /** These faults and one that applies to the n-th occurrence of a request. */
  public Faults at(FrontEndRequest request, int nth, Wrong wrong) {
    return and(new Fault(new When.Occurrence(request, nth), wrong));
  }

  /** These faults and one that applies to the n-th message. */
  public Faults atMessage(int nth, Wrong wrong) {
    return and(new Fault(new When.Message(nth), wrong));
  }

  private Faults and(Fault fault) {
    List<Fault> more = new ArrayList<>(script);
    more.add(fault);
    return new Faults(more);
  }

  private static void requirePositive(int nth) {
    if (nth < 1) {
      throw new IllegalArgumentException("messages are counted from 1, not " + nth);
    }
  }
}
