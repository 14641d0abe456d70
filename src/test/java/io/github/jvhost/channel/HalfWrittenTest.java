package io.github.jvhost.channel;

import static io.github.jvhost.channel.BackEndPair.bytes;
import static io.github.jvhost.channel.ChannelPair.brief;
import static io.github.jvhost.channel.ChannelPair.inThread;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Messages of which the socket took only a part, which ends in the middle of a message.
 *
 * <pre>
 *   | KICK 0, fd | BASE | BASE | ... | KICK 1, fd | BASE | ... | GET_FEATURES |
 *                          ^ here
 * </pre>
 */
class HalfWrittenTest {
  private static final int KICKS = 3;
  private static final int BASES = 1000;
  private static final int ALL = KICKS * (1 + BASES) + 1;
  private static final int GET_FEATURES = 1;
  private static final int SET_VRING_KICK = 12;
  private static final int IOTLB_MSG = 22;
  private static final Iotlb UPDATE = new Iotlb(0x1000, 4096, 0x7000, 3, Iotlb.UPDATE);
  private static final byte[] MISS = bytes(new Iotlb(0x1000, 4096, 0, 3, Iotlb.MISS));

  private ChannelPair main;
  private BackEndPair asks;
  private Messages messages;
  private final List<EventFd> eventfds = new ArrayList<>();

  @BeforeEach
  void writeHalf() throws Exception {
    main = ChannelPair.open();
    asks = BackEndPair.open(Dialect.UPSTREAM, main.ledger);
    main.channel.negotiated(BackEndPair.EVERYTHING & ~(1L << 17)); // but XEN_MMAP
    main.channel.negotiatedFeatures(VhostFeature.IOMMU_PLATFORM);
    main.channel.serve(asks.channel);
    main.holdLittle();
    messages = main.channel.messages();
    for (int kick = 0; kick < KICKS; kick++) {
      EventFd eventfd = EventFd.create(main.ledger, "kick");
      eventfds.add(eventfd);
      var ring = new VringDescriptor(kick, false);
      messages.add(FrontEndRequest.SET_VRING_KICK, ring, List.of(eventfd.descriptor()), false);
      for (int i = 0; i < BASES; i++) {
        messages.add(FrontEndRequest.SET_VRING_BASE, new VringState(kick, i), List.of(), false);
      }
    }
    messages.add(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false);

    assertThat(main.channel.send(messages, false)).isFalse();
    assertThat(messages.written()).isFalse();
    assertThat(messages.begun()).as("messages of the first write").isEqualTo(1 + BASES);
    assertThat(main.channel.waitsForRoom()).isTrue();
    assertThat(main.channel.outstandingReplies()).as("nothing was asked yet").isZero();
  }

  @AfterEach
  void nothingIsLeft() {
    asks.backEnd.close();
    main.close();
    eventfds.forEach(EventFd::close);
    assertThat(main.ledger.describeOpen()).isEmpty();
  }

  /** Whether the channel's socket is ready for what its user waits for. */
  private void awaitRoom() {
    try (Poller poller = new Poller(1)) {
      poller.add(main.channel.number(), Poller.IN | Poller.OUT);
      assertThat(poller.await(soon().remainingNanos())).isEqualTo(1);
    }
  }

  private void sendRest() {
    while (!main.channel.sendMore(soon())) {
      awaitRoom();
    }
    assertThat(main.channel.waitsForRoom()).isFalse();
    assertThat(messages.written()).isTrue();
    assertThat(messages.begun()).isEqualTo(ALL);
  }

  /** Plays the back end: reads these messages, and answers the last one of the sequence. */
  private FutureTask<List<Received>> backEnd(int count) {
    return inThread(() -> {
      List<Received> all = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        all.add(main.peer.receive(soon()));
        if (i == ALL - 1) {
          main.answer(GET_FEATURES, u64(5));
        }
      }
      return all;
    });
  }

  /** Checks the whole sequence; returns what came after it. */
  private static List<Received> afterAll(FutureTask<List<Received>> backEnd) throws Exception {
    List<Received> all = backEnd.get(20, TimeUnit.SECONDS);
    for (int i = 0; i < ALL - 1; i++) {
      Received received = all.get(i);
      int ring = i / (1 + BASES);
      int place = i % (1 + BASES);
      int descriptors = place == 0 ? 1 : 0;
      assertThat(received.descriptors()).as("with message %d", i).hasSize(descriptors);
      received.descriptors().forEach(OwnedDescriptor::close);
      byte[] payload =
          place == 0
              ? bytes(new VringDescriptor(ring, false))
              : bytes(new VringState(ring, place - 1));
      assertThat(received.payload()).as("of message %d", i).isEqualTo(payload);
      if (place == 0) {
        assertThat(received.header().request()).isEqualTo(SET_VRING_KICK);
      }
    }
    assertThat(all.get(ALL - 1).header().request()).isEqualTo(GET_FEATURES);
    return all.subList(ALL, all.size());
  }

  @Test
  void theRestGoesOnWhereItStoppedWithEachDescriptorOnce() throws Exception {
    FutureTask<List<Received>> backEnd = backEnd(ALL);

    sendRest();

    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    assertThat(afterAll(backEnd)).isEmpty();
    assertThat(main.channel.waits()).isEqualTo(1);
  }

  /** A question on the same connection waits for room itself, and is sent after the rest. */
  @Test
  void aQuestionIsSentAfterTheRest() throws Exception {
    FutureTask<List<Received>> backEnd = backEnd(ALL + 1);

    main.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, false);

    assertThat(messages.written()).isTrue();
    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    assertThat(afterAll(backEnd)).hasSize(1);
  }

  @Test
  void aHandlerSendsBehindTheRestAndMayNotWait() throws Exception {
    asks.action = () -> main.channel.sendUncollected(FrontEndRequest.IOTLB_MSG, UPDATE);
    asks.backEnd.send(BackEndRequest.IOTLB_MSG, MISS, List.of(), true, soon());
    main.channel.serveBackEnd();
    assertThat(asks.backEnd.awaitAnswer(soon()).result()).isZero();
    asks.action = () -> main.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, false);
    asks.backEnd.send(BackEndRequest.IOTLB_MSG, MISS, List.of(), true, soon());
    main.channel.serveBackEnd();
    assertThat(asks.backEnd.awaitAnswer(soon()).result()).isEqualTo(Answer.REFUSED.result());
    FutureTask<List<Received>> backEnd = backEnd(ALL + 1);

    sendRest();

    assertThat(main.channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
    List<Received> after = afterAll(backEnd);
    assertThat(after).hasSize(1);
    assertThat(after.getFirst().header().request()).isEqualTo(IOTLB_MSG);
    assertThat(after.getFirst().payload()).isEqualTo(bytes(UPDATE));
    assertThat(main.channel.outstandingReplies()).as("nobody asks for the other").isZero();
  }

  /** Otherwise a back end that asks and never reads would fill the front end's memory. */
  @Test
  void notAnyNumberOfMessagesWaits() {
    for (int i = 0; i < 4096; i++) {
      main.channel.sendUncollected(FrontEndRequest.IOTLB_MSG, UPDATE);
    }

    assertThatThrownBy(() -> main.channel.sendUncollected(FrontEndRequest.IOTLB_MSG, UPDATE))
        .hasMessage(
            "net0: sending IOTLB_MSG: the back end has asked for 4096 of them and has acknowledged"
                + " none of these; its connection is not used any more");
    assertThat(main.channel.poisoned()).as("what it asked for is not lost in silence").isTrue();
  }

  @Test
  void aBackEndThatDoesNotReadEndsAtTheDeadline() {
    assertThatThrownBy(
            () -> {
              var deadline = brief();
              while (!main.channel.sendMore(deadline)) {
                assertThat(messages.written()).isFalse();
              }
            })
        .isInstanceOf(DeadlineException.class)
        .hasMessage("net0: sending SET_VRING_KICK: the back end did not read it within 20 ms");
    assertThat(main.channel.poisoned()).isTrue();
    assertThat(main.channel.waitsForRoom()).isFalse();
    assertThat(main.channel.outstandingReplies()).isZero();
  }

  /** Otherwise the back end would take the next message for the rest of this one. */
  @Test
  void afterHalfAMessageNothingElseCanBeSent() {
    var why = new VhostException("the plan was given up", Recovery.RETRY);

    main.channel.giveUp(messages, why);

    assertThat(main.channel.poisoned()).isTrue();
    assertThat(main.channel.waitsForRoom()).isFalse();
    assertThat(messages.written()).isFalse();
    assertThatThrownBy(() -> main.channel.send(main.channel.messages(), false))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: the connection cannot be used any more: net0: the plan was given up");
  }

  @Test
  void aBackEndThatGoesIsNoticed() {
    main.peer.close();
    assertThatThrownBy(this::sendRest).isInstanceOf(BackEndGoneException.class);
    assertThat(main.channel.poisoned()).isTrue();
    assertThat(main.channel.waitsForRoom()).isFalse();
  }
}
