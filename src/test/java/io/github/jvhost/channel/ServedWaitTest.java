package io.github.jvhost.channel;

import static io.github.jvhost.channel.BackEndPair.bytes;
import static io.github.jvhost.channel.ChannelPair.inThread;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A back end asks on its channel before it answers on the main one. */
class ServedWaitTest {
  private static final Iotlb UPDATE = new Iotlb(0x1000, 4096, 0x7000, 3, Iotlb.UPDATE);
  private static final byte[] MISS = bytes(new Iotlb(0x1000, 4096, 0, 3, Iotlb.MISS));

  private ChannelPair main;
  private BackEndPair asks;

  @BeforeEach
  void open() throws Exception {
    main = ChannelPair.open();
    asks = BackEndPair.open(Dialect.UPSTREAM, main.ledger);
    main.channel.negotiated(BackEndPair.EVERYTHING & ~(1L << 17)); // but XEN_MMAP
    main.channel.negotiatedFeatures(VhostFeature.IOMMU_PLATFORM);
    main.channel.serve(asks.channel);
  }

  @AfterEach
  void nothingIsLeft() {
    asks.backEnd.close();
    main.close();
    assertThat(asks.channel.isOpen()).as("closed with the main one").isFalse();
    assertThat(main.ledger.describeOpen()).isEmpty();
  }

  private <T> T done(FutureTask<T> task) throws Exception {
    return task.get(20, TimeUnit.SECONDS);
  }

  @Test
  void whileAReplyIsAwaited() throws Exception {
    FutureTask<Long> backEnd =
        inThread(() -> {
          main.peer.receive(soon());
          asks.backEnd.send(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0], List.of(), true, soon());
          long answered = asks.backEnd.awaitAnswer(soon()).result();
          main.answer(1, u64(5));
          return answered;
        });
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    assertThat(done(backEnd)).isZero();
    assertThat(asks.handled).containsExactly(BackEndRequest.CONFIG_CHANGE_MSG);
    assertThat(main.channel.waits()).as("one round trip for the caller").isEqualTo(1);
  }

  @Test
  void whileTheBackEndDoesNotReadTheMainSocket() throws Exception {
    int messages = 20_000; // 400 KB: more than the socket holds
    FutureTask<Long> backEnd =
        inThread(() -> {
          asks.backEnd.send(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0], List.of(), true, soon());
          long answered = asks.backEnd.awaitAnswer(soon()).result();
          for (int i = 0; i < messages; i++) {
            main.peer.receive(soon());
          }
          return answered;
        });
    for (int i = 0; i < messages; i++) {
      main.send(FrontEndRequest.SET_VRING_BASE, new VringState(0, i & 0xFFFF), false);
    }
    main.channel.flush(soon());
    assertThat(done(backEnd)).isZero();
    assertThat(asks.channel.served()).isEqualTo(1);
  }

  @Test
  void aMissIsAnsweredOnTheMainSocketWhileAnotherReplyIsAwaited() throws Exception {
    FutureTask<Received> backEnd =
        inThread(() -> {
          main.peer.receive(soon());
          asks.backEnd.send(BackEndRequest.IOTLB_MSG, MISS, List.of(), true, soon());
          asks.backEnd.awaitAnswer(soon());
          Received update = main.peer.receive(soon());
          main.answer(1, u64(5));
          main.answer(22, u64(0));
          main.peer.receive(soon());
          main.answer(1, u64(6));
          return update;
        });
    asks.action = this::translate;
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    assertThat(main.channel.outstandingReplies()).as("nobody asks for the other").isZero();
    assertThat(main.channel.waits()).isEqualTo(1);
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(6));
    assertThat(done(backEnd).payload()).isEqualTo(bytes(UPDATE));
  }

  private void translate() {
    main.channel.sendUncollected(FrontEndRequest.IOTLB_MSG, UPDATE);
  }

  @Test
  void aMissIsAnsweredBehindWhatIsBeingWritten() throws Exception {
    int messages = 20_000;
    FutureTask<Integer> backEnd =
        inThread(() -> {
          asks.backEnd.send(BackEndRequest.IOTLB_MSG, MISS, List.of(), true, soon());
          asks.backEnd.awaitAnswer(soon());
          for (int i = 0; i < messages; i++) {
            Received received = main.peer.receive(soon());
            if (received.header().request() == 22) {
              return i;
            }
          }
          return main.peer.receive(soon()).header().request() == 22 ? messages : -1;
        });
    asks.action = this::translate;
    for (int i = 0; i < messages; i++) {
      main.send(FrontEndRequest.SET_VRING_BASE, new VringState(0, i & 0xFFFF), false);
    }
    main.channel.flush(soon());
    assertThat(done(backEnd)).as("where the update came").isPositive();
  }

  /** The answers to misses fill the main socket, and the back end reads it only after the last. */
  @Test
  void missesAreAnsweredWithoutWaitingForRoomOnTheMainSocket() throws Exception {
    int misses = 1000;
    FutureTask<Integer> backEnd =
        inThread(() -> {
          main.peer.receive(soon());
          for (int i = 0; i < misses; i++) {
            asks.backEnd.send(BackEndRequest.IOTLB_MSG, MISS, List.of(), true, soon());
            assertThat(asks.backEnd.awaitAnswer(soon()).result()).isZero();
          }
          int updates = 0;
          while (updates < misses) {
            assertThat(main.peer.receive(soon()).payload()).isEqualTo(bytes(UPDATE));
            updates++;
          }
          main.answer(1, u64(5));
          for (int i = 0; i < misses; i++) {
            main.answer(22, u64(0));
          }
          main.peer.receive(soon());
          main.answer(1, u64(6));
          return updates;
        });
    asks.action = this::translate;
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    assertThat(main.channel.waitsForRoom()).isFalse();
    assertThat(main.channel.waits()).isEqualTo(1);
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(6));
    assertThat(done(backEnd)).isEqualTo(misses);
  }

  @Test
  void aMissThatAPollReportedIsAnsweredAtOnce() {
    asks.action = this::translate;
    asks.backEnd.send(BackEndRequest.IOTLB_MSG, MISS, List.of(), true, soon());
    assertThat(main.channel.backEndNumber()).isEqualTo(asks.channel.number());
    try (Poller poller = new Poller(1)) {
      poller.add(main.channel.backEndNumber(), Poller.IN);
      assertThat(poller.await(soon().remainingNanos())).isEqualTo(1);
    }
    main.channel.serveBackEnd();
    assertThat(asks.backEnd.awaitAnswer(soon()).result()).isZero();
    assertThat(main.peer.receive(soon()).payload()).isEqualTo(bytes(UPDATE));
    assertThat(main.channel.uncollectedReplies()).isEqualTo(1);
    main.answer(22, u64(0));
    assertThat(main.channel.receiveAvailable()).isFalse();
    assertThat(main.channel.nanosToDeadline()).as("taken").isEqualTo(Long.MAX_VALUE);
    assertThat(main.channel.uncollectedReplies()).isZero();
    assertThat(main.channel.poisoned()).isFalse();
  }

  /** It has asked for it and asks once, so nothing else would make it ask again. */
  @Test
  void aRefusedAnswerToAMissPoisons() {
    translate();
    main.answer(22, u64(1));

    assertThat(main.channel.receiveAvailable()).isTrue();

    assertThat(main.channel.poisoned()).isTrue();
    assertThatThrownBy(main.channel::takeReply)
        .hasMessageStartingWith("net0: the back end has asked for IOTLB_MSG, and has refused it");
  }

  @Test
  void aMalformedRequestPoisonsTheMainChannelToo() {
    asks.backEnd.send(BackEndRequest.IOTLB_MSG, new byte[3], List.of(), true, soon());

    main.channel.serveBackEnd();

    assertThat(main.channel.poisoned()).isTrue();
    assertThatThrownBy(() -> main.channel.flush(soon()))
        .isInstanceOf(ProtocolException.class)
        .hasMessageStartingWith("net0 back-end channel: ");
  }

  @Test
  void aMalformedRequestEndsTheWaitForAReply() throws Exception {
    FutureTask<Void> backEnd =
        inThread(() -> {
          main.peer.receive(soon());
          asks.backEnd.send(BackEndRequest.IOTLB_MSG, new byte[3], List.of(), true, soon());
          return null;
        });
    main.ask(FrontEndRequest.GET_FEATURES);

    assertThatThrownBy(() -> main.channel.awaitReply(soon()))
        .isInstanceOf(ProtocolException.class)
        .hasMessageStartingWith("net0 back-end channel: ");
    done(backEnd);
  }

  /** It reads everything, and says nothing to it. */
  @Test
  void aBackEndThatNeverAcknowledgesWhatItAskedForIsCutOff() {
    for (int i = 0; i < 4096; i++) {
      translate();
      main.peer.receive(soon());
    }

    assertThatThrownBy(this::translate).hasMessageContaining("has acknowledged none of these");
    assertThat(main.channel.poisoned()).isTrue();
  }

  @Test
  void aBackEndThatAcknowledgesMayAskForAnyNumber() {
    for (int i = 0; i < 10_000; i++) {
      translate();
      main.peer.receive(soon());
      main.answer(22, u64(0));
      main.channel.receiveAvailable();
    }

    assertThat(main.channel.poisoned()).isFalse();
  }

  @Test
  void aWrongAnswerToAMissPoisonsLikeAnyOther() {
    translate();
    main.answer(21, u64(0));
    assertThat(main.channel.receiveAvailable()).isTrue();
    assertThatThrownBy(() -> main.channel.flush(soon()))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("expected one to IOTLB_MSG (22)");
  }

  @Test
  void aHandlerThatWantsToWaitOnTheMainSocketIsRefused() throws Exception {
    asks.action =
        () -> {
          main.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
          main.channel.awaitReply(soon());
        };
    FutureTask<Long> backEnd =
        inThread(() -> {
          asks.backEnd.send(2, new byte[0], List.of(), true, soon());
          long answered = asks.backEnd.awaitAnswer(soon()).result();
          for (int i = 0; i < 20_000; i++) {
            main.peer.receive(soon());
          }
          return answered;
        });
    for (int i = 0; i < 20_000; i++) {
      main.send(FrontEndRequest.SET_VRING_BASE, new VringState(0, i & 0xFFFF), false);
    }
    main.channel.flush(soon());
    assertThat(done(backEnd)).isEqualTo(1);
    assertThat(main.channel.poisoned()).isFalse();
  }

  @Test
  void aBackEndThatOnlyAsksAndNeverAnswersEndsAtTheDeadline() throws Exception {
    FutureTask<Integer> backEnd =
        inThread(() -> {
          int asked = 0;
          while (asks.channel.isOpen() && asked < 1_000_000) {
            try {
              asks.backEnd.send(2, new byte[0], List.of(), false, soon());
              asked++;
            } catch (VhostException e) {
              return asked;
            }
          }
          return asked;
        });
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThatThrownBy(() -> main.channel.awaitReply(Deadline.in(50, TimeUnit.MILLISECONDS)))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("waiting for the reply to GET_FEATURES");
    main.channel.close();
    assertThat(done(backEnd)).isPositive();
  }

  @Test
  void aChannelThatIsOverIsForgottenByTheNextWait() throws Exception {
    asks.backEnd.close();
    FutureTask<Void> backEnd =
        inThread(() -> {
          main.peer.receive(soon());
          main.answer(1, u64(5));
          return null;
        });
    main.ask(FrontEndRequest.GET_FEATURES);
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    done(backEnd);
    main.channel.serveBackEnd();
    assertThat(main.channel.backEndNumber()).isEqualTo(-1);
  }

  @Test
  void aChannelThatTakesThePlaceOfAnotherClosesIt() {
    try (BackEndPair next = BackEndPair.open(Dialect.UPSTREAM, main.ledger)) {
      main.channel.serve(next.channel);
      assertThat(asks.channel.isOpen()).isFalse();
      assertThat(main.channel.backEndNumber()).isEqualTo(next.channel.number());
    }
  }

  @Test
  void whatIsNegotiatedReachesTheChannel() {
    main.channel.negotiated(0);
    asks.ask(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0]);
    assertThat(asks.backEnd.awaitAnswer(soon()).result()).isEqualTo(Answer.REFUSED.result());
    main.channel.negotiated(BackEndPair.EVERYTHING);
    main.send(FrontEndRequest.SET_FEATURES, new U64(0), false);
    asks.ask(BackEndRequest.IOTLB_MSG, MISS);
    assertThat(asks.backEnd.awaitAnswer(soon()).result()).isEqualTo(Answer.REFUSED.result());
    main.send(FrontEndRequest.SET_FEATURES, new U64(VhostFeature.IOMMU_PLATFORM), false);
    asks.ask(BackEndRequest.IOTLB_MSG, MISS);
    assertThat(asks.backEnd.awaitAnswer(soon()).result()).isZero();
  }
}
