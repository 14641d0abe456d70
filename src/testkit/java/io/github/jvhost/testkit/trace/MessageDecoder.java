package io.github.jvhost.testkit.trace;

import io.github.jvhost.Bytes;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.OpaquePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Decodes messages. A payload that does not fit its layout stays bytes, because a proxy has to show
 * what was really sent.
 *
 * <p>Immutable, and so thread-safe.
 */
final class MessageDecoder {

  private final Dialect dialect;

  /** Creates a decoder for one dialect. */
  MessageDecoder(Dialect dialect) {
    this.dialect = dialect;
  }

  /**
   * Decodes a message from a relay.
   *
   * @param start when the capture began, on the clock of {@link System#nanoTime()}
   */
  CapturedMessage decode(RelayedMessage message, long start) {
    byte[] bytes = message.bytes().toArray();
    long nanos = Math.max(0, message.arrived() - start);
    long held = Math.max(0, message.passed() - message.arrived());
    if (message.raw()) {
      return raw(
          nanos, held, message.session(), message.route(), bytes.length, message.descriptors());
    }
    ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    return message(
        nanos,
        held,
        message.session(),
        message.route(),
        header.getInt(0),
        header.getInt(4),
        bytes.length - Header.SIZE,
        message.descriptors(),
        Bytes.copyOf(Arrays.copyOfRange(bytes, Header.SIZE, bytes.length)));
  }

  /** Returns the entry for bytes that are no message. */
  CapturedMessage raw(
      long nanos, long held, int session, RelayRoute route, int size, int descriptors) {
    return new CapturedMessage(
        nanos,
        held,
        session,
        route,
        true,
        0,
        0,
        size,
        descriptors,
        Bytes.EMPTY,
        null,
        "raw bytes",
        NoPayload.INSTANCE);
  }

  /**
   * Returns the entry for a message.
   *
   * @param content the payload; empty if it was not kept
   */
  CapturedMessage message(
      long nanos,
      long held,
      int session,
      RelayRoute route,
      int id,
      int flags,
      int size,
      int descriptors,
      Bytes content) {
    boolean main = route == RelayRoute.TO_BACK_END || route == RelayRoute.TO_FRONT_END;
    FrontEndRequest request = main ? dialect.requestOf(id).orElse(null) : null;
    String name =
        request != null
            ? request.name()
            : main || BackEndRequest.of(id).isEmpty()
                ? "request " + Integer.toUnsignedString(id)
                : BackEndRequest.of(id).get().name();
    boolean secret =
        request == FrontEndRequest.CREATE_CRYPTO_SESSION
            || request == FrontEndRequest.CLOSE_CRYPTO_SESSION;
    Bytes kept = secret ? Bytes.EMPTY : content;
    return new CapturedMessage(
        nanos,
        held,
        session,
        route,
        false,
        id,
        flags,
        size,
        descriptors,
        kept,
        request,
        name,
        payload(route, request, id, kept));
  }

  private static Payload payload(
      RelayRoute route, @Nullable FrontEndRequest request, int id, Bytes content) {
    List<PayloadKind> layouts =
        switch (route) {
          case TO_BACK_END -> request == null ? List.of() : List.of(request.payload());
          case TO_FRONT_END -> request == null ? List.of() : replies(request);
          case ASKED ->
              BackEndRequest.of(id).map(BackEndRequest::payload).map(List::of).orElse(List.of());
          case ANSWERED -> List.of(PayloadKind.U64);
        };
    for (PayloadKind layout : layouts) {
      if (layout.accepts(content.size())) {
        try {
          return layout.decode(Unpooled.wrappedBuffer(content.toArray()), content.size());
        } catch (ProtocolException e) {
          // The size fits and the content does not: it stays bytes.
        }
      }
    }
    return content.size() == 0 ? NoPayload.INSTANCE : new OpaquePayload(content);
  }

  /**
   * Returns the possible layouts of an answer, the explicit one first. Every request can have an
   * acknowledgement.
   */
  private static List<PayloadKind> replies(FrontEndRequest request) {
    Optional<PayloadKind> explicit =
        switch (request) {
          // In postcopy the answer has the regions.
          case SET_MEM_TABLE -> Optional.of(PayloadKind.U64);
          case ADD_MEM_REG -> Optional.of(PayloadKind.SINGLE_REGION);
          default -> request.explicitReply(0);
        };
    PayloadKind second =
        request == FrontEndRequest.SET_MEM_TABLE ? PayloadKind.MEMORY_TABLE : PayloadKind.U64;
    return explicit.map(first -> List.of(first, second)).orElse(List.of(second));
  }

  /** Returns the number in a payload that is one, and 0 otherwise. */
  static long number(CapturedMessage message) {
    return message.payload() instanceof U64(long value) ? value : 0;
  }
}
