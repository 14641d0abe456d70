package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Messages that were encoded ahead of time, and a back end that does not answer as expected. */
class PreparedMessagesTest {
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

  private PreparedMessages statusAndBarrier() {
    PreparedMessages.Builder builder = pair.channel.prepare();
    builder.add(FrontEndRequest.SET_STATUS, new U64(15), List.of(), true);
    builder.add(FrontEndRequest.GET_STATUS, NoPayload.INSTANCE, List.of(), false);
    return builder.build();
  }

  @Test
  void answersThatComeInPiecesAreTakenOnceTheyAreWhole() {
    PreparedMessages messages = statusAndBarrier();
    pair.channel.send(messages, soon());
    byte[] answer = BackEndPair.message(39, 5, u64(0));
    for (int at = 0; at < answer.length; at += 4) {
      assertThat(messages.answered()).isZero();
      pair.peer.writeRaw(Arrays.copyOfRange(answer, at, at + 4), List.of(), soon());
      assertThat(pair.channel.receive(messages)).isFalse();
    }
    assertThat(messages.answered()).isEqualTo(1);
    pair.answer(40, u64(15));
    assertThat(pair.channel.receive(messages)).isTrue();
    assertThat(messages.answer(1)).isEqualTo(15);
  }

  @Test
  void anAnswerThatNeverComesEndsAtItsLimit() {
    pair.channel.replyDeadlines(ReplyDeadlines.all(Duration.ofMillis(15)));
    PreparedMessages messages = statusAndBarrier();
    pair.channel.send(messages, soon());
    Deadline deadline = soon();
    assertThatThrownBy(
            () -> {
              while (!deadline.expired()) {
                assertThat(pair.channel.receive(messages)).isFalse();
              }
            })
        .isInstanceOf(DeadlineException.class)
        .hasMessage(
            "net0: waiting for the reply to SET_STATUS: none came within 15 ms, the limit of"
                + " START");
    assertThat(pair.channel.poisoned()).isTrue();
  }

  @Test
  void whatCannotBePreparedIsRefused() throws Exception {
    PreparedMessages.Builder builder = pair.channel.prepare();
    assertThatIllegalArgumentException()
        .isThrownBy(() ->
            builder.add(
                FrontEndRequest.GET_CONFIG,
                new ConfigSpace(0, 0, Bytes.zeros(8)),
                List.of(),
                false))
        .withMessage("the answer to GET_CONFIG is no number");
    try (ChannelPair other = ChannelPair.open()) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> other.channel.send(statusAndBarrier(), soon()))
          .withMessage("net0: messages of another connection");
      assertThat(other.channel.messagesSent()).isZero();
    }
  }
}
