package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.PayloadKind;

/** A reply that is expected, from the encoding of its request until it is matched. */
final class ExpectedReply {
  final FrontEndRequest request;
  final int id;
  final PayloadKind layout;

  /** Bytes of the request's own payload. */
  final int asked;

  /** Whether a caller will ask for the reply. */
  final boolean collected;

  /**
   * The slowest class of the request and of the unanswered requests that were encoded before it.
   */
  final MessageClass slowest;

  /** The class whose limit counts, once the request is being sent. */
  MessageClass bound;

  /** Whether the request has been written, and when. */
  boolean written;

  long writtenAt;

  ExpectedReply(
      FrontEndRequest request,
      int id,
      PayloadKind layout,
      int asked,
      boolean collected,
      MessageClass slowest) {
    this.request = request;
    this.id = id;
    this.layout = layout;
    this.asked = asked;
    this.collected = collected;
    this.slowest = slowest;
    this.bound = slowest;
  }
}
