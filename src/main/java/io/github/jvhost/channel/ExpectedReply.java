package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.PayloadKind;
import org.jspecify.annotations.Nullable;

/** A reply that will come, on its way from {@link ReplyReader#queue} to its match. */
final class ExpectedReply {
  final FrontEndRequest request;
  final int id;
  final PayloadKind layout;

  /** Bytes of the request's own payload. */
  final int asked;

  /** Whether somebody will ask for the reply. */
  final boolean collected;

  /** What bounds it. */
  final MessageClass slowest;

  /** Who takes its eight bytes as they are, in place of a {@link Reply}; null: nobody does. */
  final @Nullable PreparedMessages taker;

  /** Whether it has left, and when. */
  boolean written;

  long writtenAt;

  ExpectedReply(
      FrontEndRequest request,
      int id,
      PayloadKind layout,
      int asked,
      boolean collected,
      MessageClass slowest,
      @Nullable PreparedMessages taker) {
    this.request = request;
    this.id = id;
    this.layout = layout;
    this.asked = asked;
    this.collected = collected;
    this.slowest = slowest;
    this.taker = taker;
  }
}
