package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.brief;
import static io.github.jvhost.channel.ChannelPair.inThread;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.io.SocketPair;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class VhostUserChannelTest {
  private ChannelPair pair;

  @BeforeEach
  void open() throws Exception {
    pair = ChannelPair.open();
  }

  @AfterEach
  void close() {
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
  }

  @Test
  void requestsArePipelinedAndRepliesComeInOrderInOneWait() {
    pair.channel.negotiated(ProtocolFeature.maskOf(ProtocolFeature.REPLY_ACK));
    pair.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, false);
    pair.send(FrontEndRequest.SET_FEATURES, new U64(3), true);
    pair.send(FrontEndRequest.GET_VRING_BASE, new VringState(1, 0), false);
    pair.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
    assertThat(pair.channel.outstandingReplies()).isEqualTo(3);
    pair.channel.flush(soon());

    assertThat(pair.peer.receive(soon()).header()).isEqualTo(new Header(3, 1, 0));
    assertThat(pair.peer.receive(soon()).header()).isEqualTo(new Header(2, 9, 8));
    assertThat(pair.peer.receive(soon()).payload()).isEqualTo(words(1, 0));
    assertThat(pair.peer.receive(soon()).header()).isEqualTo(new Header(1, 1, 0));
    pair.answer(2, u64(1));
    pair.answer(11, words(1, 4711));
    pair.answer(1, u64(99));

    assertThat(pair.channel.awaitReply(soon()))
        .isEqualTo(new Reply(FrontEndRequest.SET_FEATURES, new U64(1), List.of()));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new VringState(1, 4711));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(99));
    assertThat(pair.channel.waits()).isEqualTo(1);
    assertThat(pair.channel.messagesSent()).isEqualTo(4);
    assertThat(pair.channel.outstandingReplies()).isZero();
    assertThatThrownBy(() -> pair.channel.awaitReply(soon()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("no reply is outstanding");
  }

  @Test
  void theLogBaseIsAnsweredUnaskedAndWithAnySize() {
    pair.channel.negotiated(
        ProtocolFeature.maskOf(ProtocolFeature.LOG_SHMFD, ProtocolFeature.REPLY_ACK));
    for (int size : new int[] {0, 8, 16, Header.MAX_PAYLOAD}) {
      pair.send(FrontEndRequest.SET_LOG_BASE, new LogRegion(8, 0), size == 8);
      pair.channel.flush(soon());
      pair.answer(6, new byte[size]);
      assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(NoPayload.INSTANCE);
    }
  }

  @Test
  void aRequestWhoseFeatureIsMissingIsRefusedHereAndNothingIsSent() {
    assertThatThrownBy(() -> pair.ask(FrontEndRequest.GET_STATUS))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: GET_STATUS cannot be sent: protocol feature STATUS is not negotiated")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
    assertThatThrownBy(() -> pair.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, true))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("REPLY_ACK");
    assertThat(pair.channel.messagesSent()).isZero();
    assertThat(pair.channel.poisoned()).isFalse();
    pair.ask(FrontEndRequest.GET_FEATURES);
    assertThat(pair.peer.receive(soon()).header().request()).isEqualTo(1);
  }

  @Test
  void presetupIsSentWithTheDialectsNumberOnly() throws Exception {
    assertThatThrownBy(() -> pair.send(FrontEndRequest.PRESETUP, new U64(1), false))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("the dialect UPSTREAM does not have it");
    try (ChannelPair rfc = ChannelPair.open(Dialect.RFC_2023)) {
      assertThatThrownBy(() -> rfc.send(FrontEndRequest.PRESETUP, new U64(1), false))
          .hasMessageContaining("protocol feature PRESETUP is not negotiated");
      rfc.channel.negotiated(Dialect.RFC_2023.presetupMask());
      rfc.send(FrontEndRequest.PRESETUP, new U64(1), false);
      rfc.channel.flush(soon());
      assertThat(rfc.peer.receive(soon()).header()).isEqualTo(new Header(41, 1, 8));
    }
  }

  @Test
  void receiveAvailableNeverWaits() {
    assertThat(pair.channel.receiveAvailable()).isFalse();
    pair.ask(FrontEndRequest.GET_FEATURES);
    assertThat(pair.channel.receiveAvailable()).isFalse();
    pair.peer.writeRaw(words(1, 5), List.of(), soon());
    assertThat(pair.channel.receiveAvailable()).isFalse();
    pair.peer.writeRaw(words(8, 42, 0), List.of(), soon());
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.awaitReply(brief()).payload()).isEqualTo(new U64(42));
  }

  @Test
  void aBackEndThatGoesWhileNothingIsOutstandingIsNoticed() {
    pair.peer.close();
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.poisoned()).isTrue();
    assertThatThrownBy(() -> pair.ask(FrontEndRequest.GET_FEATURES))
        .hasMessageContaining("waiting for nothing: the back end closed the connection");
  }

  @Test
  void aBackEndThatNeverReadsCannotHoldASendPastItsDeadline() {
    assertThatThrownBy(
            () -> {
              while (true) {
                pair.channel.send(
                    FrontEndRequest.SET_VRING_NUM, new VringState(0, 1), List.of(), false, brief());
                pair.channel.flush(brief());
              }
            })
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("sending SET_VRING_NUM: the back end did not read it within");
    assertThat(pair.channel.poisoned()).isTrue();
  }

  @Test
  void aBackEndThatNeverReadsCannotHoldASegmentThatFillsUpEither() {
    assertThatThrownBy(
            () -> {
              while (true) {
                pair.channel.send(
                    FrontEndRequest.SET_VRING_NUM, new VringState(0, 1), List.of(), false, brief());
              }
            })
        .isInstanceOf(DeadlineException.class);
  }

  @Test
  void twoFullBuffersDoNotBlockEachOther() throws Exception {
    int count = 30_000; // 360 KB of requests, 600 KB of replies: neither fits into a socket
    FutureTask<Integer> peer =
        inThread(() -> {
          for (int i = 0; i < count; i++) {
            pair.answer(pair.peer.receive(soon()).header().request(), u64(i));
          }
          return count;
        });
    for (int i = 0; i < count; i++) {
      pair.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
    }
    for (int i = 0; i < count; i++) {
      assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(i));
    }
    assertThat(peer.get()).isEqualTo(count);
  }

  @Test
  void aHangUpInTheMiddleOfWritingNamesTheMessage() throws Exception {
    FutureTask<Boolean> peer =
        inThread(() -> {
          for (int i = 0; i < 100; i++) {
            pair.peer.receive(soon());
          }
          pair.peer.close();
          return true;
        });
    assertThatThrownBy(
            () -> {
              while (true) {
                pair.send(FrontEndRequest.SET_VRING_NUM, new VringState(0, 1), false);
              }
            })
        .isInstanceOf(BackEndGoneException.class)
        .hasMessageContaining("sending SET_VRING_NUM");
    assertThat(peer.get()).isTrue();
    assertThat(pair.channel.poisoned()).isTrue();
  }

  @Test
  void aClosedChannelSaysSo() {
    pair.channel.close();
    pair.channel.close();
    assertThat(pair.channel.number()).isEqualTo(-1);
    assertThatThrownBy(() -> pair.ask(FrontEndRequest.GET_FEATURES))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  /** It has closed one direction: nothing is to be read, and yet nothing can be sent. */
  @Test
  void aBackEndThatWillReadNothingMoreIsGone() throws Exception {
    SocketPair sockets = SocketPair.open(pair.ledger, "pair");
    try (var backEnd = AdoptedSocket.of(sockets.other(), "be");
        var channel =
            VhostUserChannel.adopt(
                AdoptedSocket.of(sockets.one(), "net1"), "net1", Dialect.UPSTREAM, pair.ledger)) {
      channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
      channel.flush(soon());
      backEnd.write(ByteBuffer.wrap(BackEndPair.message(1, Header.REPLY_FLAGS, u64(5))));
      backEnd.shutdownInput();
      channel.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, List.of(), false, soon());
      assertThatThrownBy(() -> channel.flush(soon()))
          .isInstanceOf(BackEndGoneException.class)
          .hasMessage("net1: sending SET_OWNER: the back end is gone");
      assertThat(channel.awaitReply(soon()).payload())
          .as("said before it went")
          .isEqualTo(new U64(5));
      assertThat(channel.poisoned()).isTrue();
    }
  }
}
