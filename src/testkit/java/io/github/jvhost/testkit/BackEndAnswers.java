package io.github.jvhost.testkit;

import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.Faults.Wrong;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sends the back end's answers: correct ones and, where a fault is scripted, wrong ones. Used by
 * one thread.
 */
final class BackEndAnswers {
  /** Longer than any front end waits for one answer, so that a test never hangs on the mock. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final int TOO_MUCH = 4;

  private final BackEndConnection connection;
  private final BackEndRecord record;
  private final DescriptorLedger ledger;
  private final Pause pause;
  private boolean silent;

  /** A wait that ends early when the back end is closed. */
  interface Pause {
    void pause(Duration duration);

    /** Returns true if the back end is being closed or has crashed. */
    boolean isOver();
  }

  BackEndAnswers(
      BackEndConnection connection, BackEndRecord record, DescriptorLedger ledger, Pause pause) {
    this.connection = connection;
    this.record = record;
    this.ledger = ledger;
    this.pause = pause;
  }

  static Deadline deadline() {
    return Deadline.after(PATIENCE);
  }

  /**
   * Answers one message.
   *
   * @param asked whether an acknowledgement was asked for
   * @param descriptors sent with the answer; they stay the caller's
   * @return why the connection has ended, or null while it goes on
   */
  @Nullable String answer(
      int id,
      Outcome outcome,
      boolean asked,
      List<OwnedDescriptor> descriptors,
      @Nullable Wrong wrong) {
    Payload answer =
        switch (outcome.verdict()) {
          case ANSWERED -> outcome.answer();
          case DONE -> asked ? new U64(0) : null;
          case FAILED -> hasOwnFailure(outcome) ? outcome.answer() : asked ? new U64(1) : null;
          case HUNG_UP -> null;
        };
    if (costsConnection(outcome, asked)) {
      return "hung up at message " + id + ": " + outcome.reason();
    }
    if (wrong instanceof Wrong.Delay(Duration by)) {
      pause.pause(by);
    }
    if (pause.isOver()) {
      return "closed before message " + id + " was answered";
    }
    if (wrong instanceof Wrong.HangUpBeforeAnswer) {
      return "scripted: hung up before the answer to message " + id;
    }
    silent |= wrong instanceof Wrong.NeverAnswers;
    if (silent || wrong instanceof Wrong.NoAnswer) {
      return null;
    }
    if (answer != null) {
      String over = put(id, encode(answer), descriptors, wrong);
      if (over != null) {
        return over;
      }
    } else if (wrong instanceof Wrong.HangUpInAnswer) {
      return "scripted: hung up after message " + id + ", which has no answer";
    }
    if (wrong instanceof Wrong.AnswerTwice) {
      send(id, Header.REPLY_FLAGS, encode(new U64(0)), List.of());
    }
    return wrong instanceof Wrong.HangUpAfter ? "scripted: hung up after message " + id : null;
  }

  /** Returns whether the back end hangs up instead of answering. */
  static boolean costsConnection(Outcome outcome, boolean asked) {
    return switch (outcome.verdict()) {
      case HUNG_UP -> true;
      case FAILED -> !asked && !hasOwnFailure(outcome);
      case DONE, ANSWERED -> false;
    };
  }

  private static boolean hasOwnFailure(Outcome outcome) {
    return outcome.answer() != NoPayload.INSTANCE;
  }

  private @Nullable String put(
      int id, byte[] payload, List<OwnedDescriptor> descriptors, @Nullable Wrong wrong) {
    record.reply();
    byte[] whole = new byte[Header.SIZE + payload.length];
    ByteBuf out = Unpooled.wrappedBuffer(whole).clear();
    Header.encode(out, id, Header.REPLY_FLAGS, payload.length);
    out.writeBytes(payload);
    switch (wrong) {
      case Wrong.ShortReply _ -> {
        write(Arrays.copyOf(whole, whole.length - TOO_MUCH), List.of());
        return "scripted: short reply to message " + id;
      }
      case Wrong.HangUpInAnswer(int bytes) -> {
        int sent = Math.min(bytes, whole.length - 1);
        write(Arrays.copyOf(whole, sent), sent == 0 ? List.of() : descriptors);
        return "scripted: hung up after " + sent + " bytes of the answer to message " + id;
      }
      case Wrong.TrailingBytes(int count) ->
          write(Arrays.copyOf(whole, whole.length + count), descriptors);
      case Wrong.WrongSize _ ->
          send(
              id,
              Header.REPLY_FLAGS,
              Arrays.copyOf(payload, payload.length + TOO_MUCH),
              descriptors);
      case Wrong.WrongId _ -> send(id + 1, Header.REPLY_FLAGS, payload, descriptors);
      case Wrong.ReplyFlags(int flags) -> send(id, flags, payload, descriptors);
      case Wrong.NoDescriptors _ -> write(whole, List.of());
      case Wrong.ExtraDescriptors(int count) -> withMore(whole, descriptors, count);
      case null, default -> write(whole, descriptors);
    }
    return null;
  }

  private void withMore(byte[] whole, List<OwnedDescriptor> descriptors, int count) {
    List<OwnedDescriptor> all = new ArrayList<>(descriptors);
    try (EventFd extra = EventFd.create(ledger, "nobody asked for")) {
      for (int i = 0; i < count; i++) {
        all.add(extra.descriptor());
      }
      write(whole, all);
    }
  }

  private void send(int id, int flags, byte[] payload, List<OwnedDescriptor> descriptors) {
    connection.reply(id, flags, payload, descriptors, deadline());
  }

  private void write(byte[] bytes, List<OwnedDescriptor> descriptors) {
    connection.writeRaw(bytes, descriptors, deadline());
  }

  static byte[] encode(Payload payload) {
    byte[] bytes = new byte[payload.size()];
    payload.encode(Unpooled.wrappedBuffer(bytes).clear());
    return bytes;
  }
}
