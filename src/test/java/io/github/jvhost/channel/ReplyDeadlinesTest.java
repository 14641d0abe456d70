package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A reply has the time of its class, and the error says whose it was and how long that is. */
class ReplyDeadlinesTest {
  private static final Duration TINY = Duration.ofMillis(15);

  /** Never passes in a test that is right. */
  private static final Duration LONG = Duration.ofSeconds(60);

  private static final ReplyDeadlines GENEROUS = ReplyDeadlines.all(LONG);

  private ChannelPair pair;

  @BeforeEach
  void open() throws Exception {
    pair = ChannelPair.open();
    pair.channel.negotiated(ProtocolFeature.REPLY_ACK.mask() | ProtocolFeature.STATUS.mask());
  }

  @AfterEach
  void nothingIsLeft() {
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
  }

  private void overdue(String message) {
    assertThatThrownBy(() -> pair.channel.awaitReply(soon()))
        .isExactlyInstanceOf(DeadlineException.class)
        .hasMessage("net0: waiting for the reply to " + message)
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
    assertThat(pair.channel.poisoned()).isTrue();
    assertThatThrownBy(() -> pair.channel.flush(soon()))
        .hasMessageContaining("cannot be used any more")
        .hasMessageContaining(message);
  }

  @Test
  void aQuestion() {
    pair.channel.replyDeadlines(GENEROUS.withQuestion(TINY));
    pair.ask(FrontEndRequest.GET_FEATURES);
    overdue("GET_FEATURES: none came within 15 ms, the limit of QUESTION");
  }

  @Test
  void aSetting() {
    pair.channel.replyDeadlines(GENEROUS.withSetting(TINY));
    pair.send(FrontEndRequest.SET_FEATURES, new U64(0), true);
    overdue("SET_FEATURES: none came within 15 ms, the limit of SETTING");
  }

  @Test
  void aStop() {
    pair.channel.replyDeadlines(GENEROUS.withStop(TINY));
    pair.send(FrontEndRequest.GET_VRING_BASE, new VringState(0, 0), false);
    overdue("GET_VRING_BASE: none came within 15 ms, the limit of STOP");
  }

  @Test
  void workThatIsNotAnsweredCountsForTheNextThatIs() {
    pair.channel.replyDeadlines(ReplyDeadlines.all(TINY).withStart(Duration.ofMillis(30)));
    pair.send(FrontEndRequest.SET_STATUS, new U64(15), false);
    pair.ask(FrontEndRequest.GET_STATUS);
    assertThat(pair.channel.nanosToDeadline()).isPositive();
    overdue("GET_STATUS: none came within 30 ms, the limit of START");
  }

  @Test
  void theNextAnswerDoesNotInheritIt() {
    pair.channel.replyDeadlines(GENEROUS.withQuestion(TINY));
    pair.send(FrontEndRequest.SET_STATUS, new U64(15), false);
    pair.send(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE, false);
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.answer(40, u64(15));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(15));
    overdue("GET_FEATURES: none came within 15 ms, the limit of QUESTION");
  }

  @Test
  void theWaitsOwnDeadlineStillBoundsIt() {
    pair.channel.replyDeadlines(GENEROUS);
    pair.ask(FrontEndRequest.GET_FEATURES);
    assertThatThrownBy(() -> pair.channel.awaitReply(Deadline.in(20, TimeUnit.MILLISECONDS)))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("GET_FEATURES: none came within 20 ms");
  }

  @Test
  void whoPollsManyDevicesIsToldWhenToLookAgain() {
    pair.channel.replyDeadlines(GENEROUS.withQuestion(TINY));
    assertThat(pair.channel.nanosToDeadline()).isEqualTo(Long.MAX_VALUE);
    pair.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
    assertThat(pair.channel.nanosToDeadline()).as("not written").isEqualTo(Long.MAX_VALUE);
    pair.channel.flush(soon());
    assertThat(pair.channel.nanosToDeadline()).isBetween(0L, TINY.toNanos());
    try (Poller pause = new Poller(1)) {
      while (pair.channel.nanosToDeadline() > 0) {
        pause.await(pair.channel.nanosToDeadline());
      }
    }
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.poisoned()).isTrue();
    overdue("GET_FEATURES: none came within 15 ms, the limit of QUESTION");
  }

  @Test
  void aReplyThatIsThereIsTakenHoweverLateSomebodyLooks() {
    pair.channel.replyDeadlines(ReplyDeadlines.all(TINY));
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.answer(1, u64(7));
    try (Poller pause = new Poller(1)) {
      pause.await(TINY.multipliedBy(2).toNanos());
    }
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(7));
    assertThat(pair.channel.nanosToDeadline()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void timeCountsFromTheReplyBefore() {
    pair.channel.replyDeadlines(GENEROUS);
    pair.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
    pair.ask(FrontEndRequest.GET_FEATURES);
    try (Poller pause = new Poller(1)) {
      pause.await(TINY.toNanos());
    }
    long before = pair.channel.nanosToDeadline();
    pair.answer(1, u64(7));
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.nanosToDeadline()).isGreaterThan(before);
    pair.answer(1, u64(8));
    pair.channel.awaitReply(soon());
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(8));
  }

  @Test
  void everyClassHasItsOwnLimit() {
    List<ReplyDeadlines> each =
        List.of(
            GENEROUS.withQuestion(TINY),
            GENEROUS.withSetting(TINY),
            GENEROUS.withMemory(TINY),
            GENEROUS.withStop(TINY),
            GENEROUS.withStart(TINY),
            GENEROUS.withTransfer(TINY));
    MessageClass[] classes = MessageClass.values();
    for (int i = 0; i < classes.length; i++) {
      for (int other = 0; other < classes.length; other++) {
        assertThat(each.get(i).of(classes[other])).isEqualTo(i == other ? TINY : LONG);
      }
    }
    for (Duration wrong : List.of(Duration.ZERO, Duration.ofNanos(-1), Duration.ofDays(366))) {
      assertThatIllegalArgumentException().isThrownBy(() -> ReplyDeadlines.all(wrong));
    }
  }

  @Test
  void halfAReplyIsNoReply() {
    pair.channel.replyDeadlines(GENEROUS.withQuestion(TINY));
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.peer.writeRaw(words(1, 5, 8), List.of(), soon());
    overdue("GET_FEATURES: none came within 15 ms, the limit of QUESTION");
  }
}
