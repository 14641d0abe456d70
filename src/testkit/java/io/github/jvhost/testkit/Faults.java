package io.github.jvhost.testkit;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Payload;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What a mock back end does wrong, and when. Messages and occurrences are counted from 1 from the
 * moment at which the script is armed, over all connections: a fault that has happened does not
 * happen again after a reconnect.
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
    /**
     * At one occurrence of a request.
     *
     * @param request which
     * @param nth counted from 1
     */
    record Occurrence(FrontEndRequest request, int nth) implements When {
      /** Checks the count. */
      public Occurrence {
        requirePositive(nth);
      }
    }

    /**
     * At each occurrence of a request, on every connection.
     *
     * @param request which
     */
    record Every(FrontEndRequest request) implements When {}

    /**
     * At one message, whatever it is.
     *
     * @param nth counted from 1
     */
    record Message(int nth) implements When {
      /** Checks the count. */
      public Message {
        requirePositive(nth);
      }
    }

    /**
     * At one connection as soon as it is there; only {@link Wrong.HangUpBefore}.
     *
     * @param nth counted from 1
     */
    record Connection(int nth) implements When {
      /** Checks the count. */
      public Connection {
        requirePositive(nth);
      }
    }
  }

  /** What is done wrong. */
  public sealed interface Wrong {
    /**
     * The message has no effect. If its answer can express a failure, it does (an empty in-flight
     * region, for example). Any other message is acknowledged with 1; if no acknowledgement was
     * asked for, the back end closes the connection.
     */
    record Refuse() implements Wrong {}

    /**
     * The message has no effect. If an acknowledgement was asked for, it is 1. Otherwise the front
     * end does not learn of it, and the connection goes on. Some back ends do this and only write a
     * line into their log.
     */
    record RefuseSilently() implements Wrong {}

    /**
     * The ring stops, and the answer has a wrong base. Only for GET_VRING_BASE.
     *
     * @param base the answer's number, all 32 bits
     */
    record Base(int base) implements Wrong {}

    /**
     * The answer comes later. The back end does nothing else meanwhile.
     *
     * @param by the delay
     */
    record Delay(Duration by) implements Wrong {}

    /** The last four bytes of the answer are missing, and the connection ends behind it. */
    record ShortReply() implements Wrong {}

    /** The answer's payload is four bytes longer than its layout, and its header says so. */
    record WrongSize() implements Wrong {}

    /** The answer carries another request's number. */
    record WrongId() implements Wrong {}

    /**
     * The answer carries other flags than it should.
     *
     * @param flags all of them, such as 0xD: NEED_REPLY echoed
     */
    record ReplyFlags(int flags) implements Wrong {}

    /** The connection is closed and the message has no effect. */
    record HangUpBefore() implements Wrong {}

    /** The connection is closed after the message took effect and was answered. */
    record HangUpAfter() implements Wrong {}

    /**
     * This message and all later ones stay in the socket until the front end closes the connection.
     */
    record NeverRead() implements Wrong {}

    /**
     * The connection is closed while the message is in the socket: the front end sees a reset
     * rather than an end of stream. Only for a message by its number; so are the next two faults.
     */
    record HangUpUnread() implements Wrong {}

    /** The connection is closed when five bytes of the header were read. */
    record HangUpInHeader() implements Wrong {}

    /** The connection is closed when the header and half of the payload were read. */
    record HangUpInPayload() implements Wrong {}

    /** The message takes effect, and the connection is closed instead of answering. */
    record HangUpBeforeAnswer() implements Wrong {}

    /**
     * The connection is closed when a part of the answer was sent. A message without an answer ends
     * the connection too.
     *
     * @param bytes how many bytes are sent, those of the header included, from 0; at most all but
     *     one
     */
    record HangUpInAnswer(int bytes) implements Wrong {
      /** Checks the count. */
      public HangUpInAnswer {
        if (bytes < 0) {
          throw new IllegalArgumentException("an answer of " + bytes + " bytes");
        }
      }
    }

    /** The message takes effect and is not answered. */
    record NoAnswer() implements Wrong {}

    /** From this message on, all take effect and none is answered. */
    record NeverAnswers() implements Wrong {}

    /**
     * The back end sends another answer after the first one, if any: a reply that was not asked
     * for.
     */
    record AnswerTwice() implements Wrong {}

    /**
     * Extra bytes follow the answer.
     *
     * @param count how many, 1 or more; each is zero
     */
    record TrailingBytes(int count) implements Wrong {
      /** Checks the count. */
      public TrailingBytes {
        if (count < 1) {
          throw new IllegalArgumentException("trailing bytes are 1 or more, not " + count);
        }
      }
    }

    /**
     * Extra descriptors come with the answer.
     *
     * @param count how many more, 1 to 60
     */
    record ExtraDescriptors(int count) implements Wrong {
      private static final int MOST = 60;

      /** Checks the count. */
      public ExtraDescriptors {
        if (count < 1 || count > MOST) {
          throw new IllegalArgumentException(
              "descriptors are 1 to %d more, not %d".formatted(MOST, count));
        }
      }
    }

    /** The descriptors that belong to the answer are missing. */
    record NoDescriptors() implements Wrong {}

    /**
     * Before it answers this message, the back end sends a request on its own channel and waits for
     * the answer. Some drivers do this when they map doorbells while they are configured.
     *
     * @param request the request that it sends
     * @param payload the payload of that request, which has no descriptors
     */
    record AskFirst(BackEndRequest request, Payload payload) implements Wrong {}
  }

  /**
   * One fault.
   *
   * @param when at which message or connection
   * @param wrong what is done there
   */
  public record Fault(When when, Wrong wrong) {
    /** Checks that the fault is possible at that place. */
    public Fault {
      boolean unread =
          wrong instanceof Wrong.HangUpUnread
              || wrong instanceof Wrong.HangUpInHeader
              || wrong instanceof Wrong.HangUpInPayload;
      if (unread && !(when instanceof When.Message)) {
        throw new IllegalArgumentException(
            wrong + " is for a message by its number: what it is, is known when it was read");
      }
      boolean stops =
          switch (when) {
            case When.Occurrence(FrontEndRequest request, _) ->
                request == FrontEndRequest.GET_VRING_BASE;
            case When.Every(FrontEndRequest request) -> request == FrontEndRequest.GET_VRING_BASE;
            case When.Message _, When.Connection _ -> false;
          };
      if (wrong instanceof Wrong.Base && !stops) {
        throw new IllegalArgumentException(wrong + " is an answer to GET_VRING_BASE only");
      }
      if (when instanceof When.Connection && !(wrong instanceof Wrong.HangUpBefore)) {
        throw new IllegalArgumentException(wrong + " cannot be done to a connection");
      }
    }
  }

  /** {@return the script of a back end without faults} */
  public static Faults none() {
    return new Faults(List.of());
  }

  /**
   * {@return these faults and one that applies to an occurrence of a request}
   *
   * @param request which request
   * @param nth which occurrence of it, counted from 1
   * @param wrong what is done there
   */
  public Faults at(FrontEndRequest request, int nth, Wrong wrong) {
    return and(new Fault(new When.Occurrence(request, nth), wrong));
  }

  /**
   * {@return these faults and one that applies to each occurrence of a request}
   *
   * @param request which request
   * @param wrong what is done there
   */
  public Faults atEvery(FrontEndRequest request, Wrong wrong) {
    return and(new Fault(new When.Every(request), wrong));
  }

  /**
   * {@return these faults and one that applies to a message, whatever it is}
   *
   * @param nth which message, counted from 1
   * @param wrong what is done there
   */
  public Faults atMessage(int nth, Wrong wrong) {
    return and(new Fault(new When.Message(nth), wrong));
  }

  /**
   * {@return these faults and a hang-up at a connection, as soon as it is there}
   *
   * @param nth which connection, counted from 1
   */
  public Faults atConnection(int nth) {
    return and(new Fault(new When.Connection(nth), new Wrong.HangUpBefore()));
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
