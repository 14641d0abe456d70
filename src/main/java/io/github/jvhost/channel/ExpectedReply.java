package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.PayloadKind;

/** A reply that will come, from the moment in which its request is encoded to its match. */
final class ExpectedReply {
  final FrontEndRequest request;
  final int id;
  final PayloadKind layout;

  /** Bytes of the request's own payload. */
  final int asked;

  /** Whether somebody will ask for the reply. */
  final boolean collected;

  /** The slowest of the request and the unanswered ones that were encoded before it. */
  final MessageClass slowest;

  /** What bounds it, once it is on its way. */
  MessageClass bound;

  /** Whether it has left, and when. */
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
