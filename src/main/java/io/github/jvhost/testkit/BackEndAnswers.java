package io.github.jvhost.testkit;

import io.github.jvhost.channel.BackEndConnection;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.Faults.Wrong;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Puts answers on the wire, right ones and scripted wrong ones. Used by one thread. */
final class BackEndAnswers {
  /** Longer than any front end waits for one answer, so that a test never hangs on the mock. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final int TOO_MUCH = 4;

  private final BackEndConnection connection;
  private final BackEndRecord record;
  private final Pause pause;

  /** A wait that ends early when the back end is closed. */
  @FunctionalInterface
  interface Pause {
    void pause(Duration duration);
  }

  BackEndAnswers(BackEndConnection connection, BackEndRecord record, Pause pause) {
    this.connection = connection;
    this.record = record;
    this.pause = pause;
  }

  static Deadline deadline() {
    return Deadline.after(PATIENCE);
  }

  /**
   * Answers one message.
   *
   * @param asked whether an acknowledgement was asked for
   * @return why the connection is over, null while it is not
   */
  @Nullable String answer(int id, Outcome outcome, boolean asked, @Nullable Wrong wrong) {
    Payload answer =
        switch (outcome.verdict()) {
          case ANSWERED -> outcome.answer();
          case DONE -> asked ? new U64(0) : null;
          case FAILED -> asked ? new U64(1) : null;
          case HUNG_UP -> null;
        };
    boolean costsConnection =
        outcome.verdict() == Outcome.Verdict.HUNG_UP
            || (outcome.verdict() == Outcome.Verdict.FAILED && !asked);
    if (costsConnection) {
      return "hung up at message " + id + ": " + outcome.reason();
    }
    if (wrong instanceof Wrong.Delay(Duration by)) {
      pause.pause(by);
    }
    if (answer != null) {
      byte[] payload = encode(answer);
      record.reply();
      switch (wrong) {
        case Wrong.ShortReply _ -> {
          byte[] whole = new byte[Header.SIZE + payload.length];
          ByteBuf out = Unpooled.wrappedBuffer(whole).clear();
          Header.encode(out, id, Header.REPLY_FLAGS, payload.length);
          out.writeBytes(payload);
          connection.writeRaw(Arrays.copyOf(whole, whole.length - TOO_MUCH), List.of(), deadline());
          return "scripted: short reply to message " + id;
        }
        case Wrong.WrongSize _ ->
            send(id, Header.REPLY_FLAGS, Arrays.copyOf(payload, payload.length + TOO_MUCH));
        case Wrong.WrongId _ -> send(id + 1, Header.REPLY_FLAGS, payload);
        case Wrong.ReplyFlags(int flags) -> send(id, flags, payload);
        case null, default -> send(id, Header.REPLY_FLAGS, payload);
      }
    }
    return wrong instanceof Wrong.HangUpAfter ? "scripted: hung up after message " + id : null;
  }

  private void send(int id, int flags, byte[] payload) {
    connection.reply(id, flags, payload, List.of(), deadline());
  }

  private static byte[] encode(Payload payload) {
    if (payload == NoPayload.INSTANCE) {
      return new byte[0];
    }
    byte[] bytes = new byte[payload.size()];
    payload.encode(Unpooled.wrappedBuffer(bytes).clear());
    return bytes;
  }
}
