package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Messages that were encoded before they are sent, and a back end that does not answer as expected.
 */
class MessagesTest {
  private ChannelPair pair;

  @BeforeEach
  void open() throws Exception {
    pair = ChannelPair.open();
    pair.channel.negotiated(
        ProtocolFeature.REPLY_ACK.mask()
            | ProtocolFeature.STATUS.mask()
            | ProtocolFeature.CONFIG.mask());
  }

  @AfterEach
  void nothingIsLeft() {
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
  }

  private Messages statusAndBarrier() {
    Messages messages = pair.channel.messages();
    messages.add(FrontEndRequest.SET_STATUS, new U64(15), List.of(), true);
    messages.add(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE, List.of(), false);
    return messages;
  }

  @Test
  void answersThatComeInPiecesAreTakenOnceTheyAreWhole() {
    pair.channel.send(statusAndBarrier(), false);
    byte[] answer = BackEndPair.message(39, 5, u64(0));
    for (int at = 0; at < answer.length; at += 4) {
      assertThat(pair.channel.hasReply()).isFalse();
      pair.peer.writeRaw(Arrays.copyOfRange(answer, at, at + 4), List.of(), soon());
      assertThat(pair.channel.receiveAvailable()).isEqualTo(at + 4 == answer.length);
    }
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(0));
    assertThat(pair.channel.outstandingReplies()).isEqualTo(1);
    pair.answer(40, u64(15));
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(15));
  }

  @Test
  void anAnswerThatNeverComesEndsAtItsLimit() {
    pair.channel.replyDeadlines(ReplyDeadlines.all(Duration.ofMillis(15)));
    pair.channel.send(statusAndBarrier(), false);
    Deadline deadline = soon();
    assertThatThrownBy(
            () -> {
              while (!pair.channel.receiveAvailable()) {
                assertThat(deadline.expired()).isFalse();
              }
              pair.channel.awaitReply(soon());
            })
        .isInstanceOf(DeadlineException.class)
        .hasMessage(
            "net0: waiting for the reply to SET_STATUS: none came within 15 ms, the limit of"
                + " START");
    assertThat(pair.channel.poisoned()).isTrue();
  }

  @Test
  void whatWasSentIsKnownByWrites() {
    Messages messages = statusAndBarrier();
    assertThat(messages.count()).isEqualTo(2);
    assertThat(messages.answers()).isEqualTo(2);
    assertThat(messages.begun()).isZero();
    pair.channel.send(messages, false);
    assertThat(messages.begun()).isEqualTo(2);
    pair.channel.close();
    assertThatThrownBy(() -> pair.channel.send(messages, false))
        .isInstanceOf(IllegalStateException.class);
    assertThat(messages.begun()).as("nothing of it left").isZero();
  }

  @Test
  void anyAnswerCanBeTaken() {
    Messages messages = pair.channel.messages();
    var piece = new ConfigSpace(0, 0, Bytes.zeros(8));
    messages.add(FrontEndRequest.GET_CONFIG, piece, List.of(), false);
    pair.channel.send(messages, false);
    ByteBuf answer = Unpooled.buffer();
    piece.encode(answer);
    pair.answer(24, ByteBufUtil.getBytes(answer));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(piece);
  }

  @Test
  void theyBelongToOneConnection() throws Exception {
    try (ChannelPair other = ChannelPair.open()) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> other.channel.send(statusAndBarrier(), false))
          .withMessage("net0: messages of another connection");
      assertThat(other.channel.messagesSent()).isZero();
    }
  }
}
