package io.github.jvhost.vhost.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.Bytes;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.user.FrontEndCalls.Call;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Each message of the protocol goes out as it should, and what comes back is not simply believed.
 */
class VhostUserFrontEndTest {
  private static final Set<FrontEndRequest> OF_OTHER_DEVICES =
      EnumSet.of(
          FrontEndRequest.CREATE_CRYPTO_SESSION,
          FrontEndRequest.CLOSE_CRYPTO_SESSION,
          FrontEndRequest.GPU_SET_SOCKET);

  private final ScriptedBackEnd backEnd = new ScriptedBackEnd();
  private final VhostUserFrontEnd frontEnd = backEnd.frontEnd;

  @AfterEach
  void nothingIsLeft() {
    backEnd.close();
  }

  static List<Call> calls() {
    return FrontEndCalls.all();
  }

  static Stream<Call> acknowledged() {
    return calls().stream().filter(Call::asked);
  }

  /** All but those that a front end may always send. */
  static Stream<Call> gated() {
    return calls().stream().filter(call -> gate(call) != 0);
  }

  private static long gate(Call call) {
    long gate = ScriptedBackEnd.DIALECT.gateOf(call.request());
    return call.request() == FrontEndRequest.SET_LOG_BASE ? ProtocolFeature.LOG_SHMFD.mask() : gate;
  }

  @Test
  void everyMessageHasAMethod() {
    Set<FrontEndRequest> without = EnumSet.allOf(FrontEndRequest.class);
    calls().forEach(call -> without.remove(call.request()));

    assertThat(without).isEqualTo(OF_OTHER_DEVICES);
  }

  @ParameterizedTest
  @MethodSource("calls")
  void aCallSendsItsMessageAndGivesTheAnswer(Call call) {
    backEnd.negotiated(ScriptedBackEnd.allFor(call.request()));
    letIommuMessagesThrough();
    backEnd.plays(peer -> {
      Received received = peer.expect(call.request());
      assertThat(received.header().needsReply()).isEqualTo(call.asked());
      assertThat(received.descriptors()).hasSize(call.descriptors());
      assertThat(ScriptedBackEnd.payload(call.request(), received)).isEqualTo(call.sent());
      answer(peer, call);
    });

    assertThat(call.method().on(frontEnd, backEnd.event())).isEqualTo(call.result());
    backEnd.finished();
    assertThat(backEnd.channel().outstandingReplies()).isZero();
  }

  private static void answer(ScriptedBackEnd peer, Call call) {
    if (call.asked()) {
      peer.answer(call.request(), new U64(0));
    } else if (call.answer().isPresent() && call.withDescriptor()) {
      peer.answer(call.request(), call.answer().get(), peer.event());
    } else if (call.answer().isPresent()) {
      peer.answer(call.request(), call.answer().get());
    }
  }

  private void letIommuMessagesThrough() {
    backEnd.plays(peer -> {
      peer.expect(FrontEndRequest.SET_FEATURES);
      peer.answer(FrontEndRequest.SET_FEATURES, new U64(0));
    });
    frontEnd.setFeatures(ScriptedBackEnd.features());
    backEnd.finished();
  }

  @ParameterizedTest
  @MethodSource("acknowledged")
  void aRefusalNamesTheMessageAndTheAnswer(Call call) {
    backEnd.negotiated(ScriptedBackEnd.allFor(call.request()));
    letIommuMessagesThrough();
    backEnd.plays(peer -> {
      peer.expect(call.request());
      peer.answer(call.request(), new U64(22));
    });

    assertThatThrownBy(() -> call.method().on(frontEnd, backEnd.event()))
        .isInstanceOf(BackEndRefusedException.class)
        .hasMessageContaining("dev0: " + call.request())
        .hasMessageEndingWith("the back end answered 22");
    assertThat(backEnd.channel().poisoned()).isFalse();
  }

  @ParameterizedTest
  @MethodSource("acknowledged")
  void withoutReplyAckNothingIsWaitedFor(Call call) {
    backEnd.negotiated(ScriptedBackEnd.allFor(call.request()) & ~ProtocolFeature.REPLY_ACK.mask());
    if (call.request() == FrontEndRequest.POSTCOPY_LISTEN
        || call.request() == FrontEndRequest.IOTLB_MSG) {
      assertThatThrownBy(() -> call.method().on(frontEnd, backEnd.event()))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("REPLY_ACK")
          .hasMessageContaining("is not negotiated");
      return;
    }
    backEnd.plays(peer -> assertThat(peer.expect(call.request()).header().needsReply()).isFalse());

    assertThat(call.method().on(frontEnd, backEnd.event())).isNull();
    backEnd.finished();
    assertThat(backEnd.channel().waits()).isZero();
  }

  @ParameterizedTest
  @MethodSource("gated")
  void withoutItsFeatureAMessageIsNotSent(Call call) {
    for (long gate = gate(call); gate != 0; gate &= gate - 1) {
      backEnd.negotiated(ScriptedBackEnd.allFor(call.request()) & ~Long.lowestOneBit(gate));

      assertThatThrownBy(() -> call.method().on(frontEnd, backEnd.event()))
          .isInstanceOfSatisfying(
              VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
          .hasMessageContaining("dev0: " + call.request() + " cannot be sent")
          .hasMessageContaining("not negotiated");
    }
    assertThat(backEnd.channel().messagesSent()).isZero();
  }

  static Stream<Call> ofPostcopy() {
    return calls().stream()
        .filter(call -> ScriptedBackEnd.allFor(call.request()) != ScriptedBackEnd.ALL);
  }

  @ParameterizedTest
  @MethodSource("ofPostcopy")
  void memorySlotsRuleOutPostcopy(Call call) {
    assertThatThrownBy(() -> call.method().on(frontEnd, backEnd.event()))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessage(
            "dev0: "
                + call.request()
                + " cannot be sent: postcopy is not possible with CONFIGURE_MEM_SLOTS, which is"
                + " negotiated");
    assertThat(backEnd.channel().messagesSent()).isZero();
  }

  @Test
  void whatAFeatureRulesOutIsNotSent() {
    backEnd.plays(peer -> {
      peer.expect(FrontEndRequest.GET_FEATURES);
      peer.answer(FrontEndRequest.GET_FEATURES, new U64(0));
      peer.expect(FrontEndRequest.SET_FEATURES);
      peer.answer(FrontEndRequest.SET_FEATURES, new U64(0));
    });
    frontEnd.getFeatures();
    frontEnd.setFeatures(0);
    backEnd.finished();

    assertThatThrownBy(frontEnd::getProtocolFeatures).hasMessageContaining("PROTOCOL_FEATURES");
    assertThatThrownBy(() -> frontEnd.setProtocolFeatures(0))
        .hasMessageContaining("PROTOCOL_FEATURES");
    assertThatThrownBy(() -> frontEnd.setVringEnable(0, true))
        .hasMessageContaining("PROTOCOL_FEATURES");
    assertThatThrownBy(() -> frontEnd.iotlb(FrontEndCalls.translation()))
        .hasMessageContaining("bit 33");
    assertThat(backEnd.channel().messagesSent()).isEqualTo(2);
  }

  @Test
  void acknowledgedProtocolFeaturesOpenTheGates() {
    backEnd.negotiated(0);
    backEnd.plays(peer -> {
      peer.expect(FrontEndRequest.SET_PROTOCOL_FEATURES);
      peer.expect(FrontEndRequest.GET_STATUS);
      peer.answer(FrontEndRequest.GET_STATUS, new U64(3));
    });

    frontEnd.setProtocolFeatures(ProtocolFeature.STATUS.mask());

    assertThat(frontEnd.getStatus()).isEqualTo(3);
  }

  @Test
  void featuresThatCannotBeAreNotAcknowledged() {
    assertThatThrownBy(() -> frontEnd.setProtocolFeatures(ProtocolFeature.XEN_MMAP.mask()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("SET_PROTOCOL_FEATURES cannot be sent: XEN_MMAP");
    assertThat(backEnd.channel().messagesSent()).isZero();
  }

  @Test
  void aBaseOfAnotherRingIsNotBelieved() {
    answers(FrontEndRequest.GET_VRING_BASE, new VringState(2, 7));

    assertThatThrownBy(() -> frontEnd.getVringBase(3))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("asked for ring 3, answered for ring 2");
  }

  @ParameterizedTest
  @ValueSource(longs = {0x100, -1})
  void aStatusHasEightBits(long status) {
    answers(FrontEndRequest.GET_STATUS, new U64(status));

    assertThatThrownBy(frontEnd::getStatus)
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("status 0x");
  }

  @Test
  void anEmptyConfigurationIsARefusal() {
    answers(FrontEndRequest.GET_CONFIG, NoPayload.INSTANCE);

    assertThatThrownBy(() -> frontEnd.getConfig(0, 4)).isInstanceOf(BackEndRefusedException.class);
  }

  static List<ConfigSpace> otherPieces() {
    return List.of(
        new ConfigSpace(0, 0, Bytes.zeros(3)),
        new ConfigSpace(0, 0, Bytes.zeros(5)),
        new ConfigSpace(1, 0, Bytes.zeros(4)));
  }

  @ParameterizedTest
  @MethodSource("otherPieces")
  void anotherPieceOfTheConfigurationIsNotBelieved(ConfigSpace piece) {
    answers(FrontEndRequest.GET_CONFIG, piece);

    assertThatThrownBy(() -> frontEnd.getConfig(0, 4))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("GET_CONFIG");
  }

  @Test
  void aRegionInFlightNeedsADescriptor() {
    answers(FrontEndRequest.GET_INFLIGHT_FD, FrontEndCalls.INFLIGHT);

    assertThatThrownBy(() -> frontEnd.getInflightFd(2, 256))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("descriptor");
  }

  @Test
  void aDescriptorOfNoRegionIsClosed() {
    answersWithDescriptor(FrontEndRequest.GET_INFLIGHT_FD, FrontEndCalls.empty());

    assertThat(frontEnd.getInflightFd(2, 256).region()).isNull();
  }

  @Test
  void adviceNeedsAUserfaultfd() {
    backEnd.negotiated(ScriptedBackEnd.WITH_POSTCOPY);
    answers(FrontEndRequest.POSTCOPY_ADVISE, NoPayload.INSTANCE);

    assertThatThrownBy(frontEnd::postcopyAdvise)
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("descriptor");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 0x100, 1, 0x101, 0xff})
  void anAnswerToDeviceStateThatContradictsItselfIsNotBelieved(long answer) {
    boolean saysNone = (answer & 0x100) != 0;
    boolean error = (answer & 0xff) != 0;
    if (saysNone) {
      answersWithDescriptor(FrontEndRequest.SET_DEVICE_STATE_FD, new U64(answer));
    } else {
      answers(FrontEndRequest.SET_DEVICE_STATE_FD, new U64(answer));
    }

    assertThatThrownBy(() -> frontEnd.setDeviceStateFd(FrontEndCalls.SAVE, backEnd.event()))
        .isInstanceOf(error && !saysNone ? BackEndRefusedException.class : ProtocolException.class)
        .hasMessageContaining("SET_DEVICE_STATE_FD");
  }

  @Test
  void aFailedCheckOfTheStateIsARefusal() {
    answers(FrontEndRequest.CHECK_DEVICE_STATE, new U64(1));

    assertThatThrownBy(frontEnd::checkDeviceState).isInstanceOf(BackEndRefusedException.class);
  }

  @Test
  void aFailedEndOfPostcopyIsARefusal() {
    backEnd.negotiated(ScriptedBackEnd.WITH_POSTCOPY);
    answers(FrontEndRequest.POSTCOPY_END, new U64(1));

    assertThatThrownBy(frontEnd::postcopyEnd).isInstanceOf(BackEndRefusedException.class);
  }

  @ParameterizedTest
  @MethodSource("calls")
  void aHangUpInTheMiddleOfAnAnswerIsSaid(Call call) {
    backEnd.negotiated(ScriptedBackEnd.allFor(call.request()));
    letIommuMessagesThrough();
    if (!call.asked() && call.answer().isEmpty()) {
      return; // nothing to be in the middle of
    }
    backEnd.plays(peer -> {
      peer.expect(call.request());
      peer.raw((byte) ScriptedBackEnd.DIALECT.idOf(call.request()).orElseThrow(), (byte) 0);
      peer.hangUp();
    });

    assertThatThrownBy(() -> call.method().on(frontEnd, backEnd.event()))
        .isInstanceOf(BackEndGoneException.class)
        .hasMessageContaining(call.request().toString());
    assertThatThrownBy(frontEnd::getFeatures).isInstanceOf(VhostException.class);
  }

  @Test
  void anAnswerThatDoesNotComeInTimeIsNotWaitedFor() {
    var hasty = new VhostUserFrontEnd(backEnd.channel(), Duration.ofMillis(20));

    assertThatThrownBy(hasty::getFeatures)
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("GET_FEATURES");
    assertThat(backEnd.channel().poisoned()).isTrue();
  }

  @Test
  void theAnswerToSomebodyElsesQuestionIsNotTaken() {
    backEnd
        .channel()
        .send(
            FrontEndRequest.GET_QUEUE_NUM,
            NoPayload.INSTANCE,
            List.of(),
            false,
            ScriptedBackEnd.soon());
    answers(FrontEndRequest.GET_QUEUE_NUM, new U64(4));

    assertThatThrownBy(frontEnd::getStatus)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the reply to GET_QUEUE_NUM was still to come");
  }

  private void answers(FrontEndRequest request, Payload answer) {
    backEnd.plays(peer -> {
      peer.expect(request);
      peer.answer(request, answer);
    });
  }

  private void answersWithDescriptor(FrontEndRequest request, Payload answer) {
    OwnedDescriptor event = backEnd.event();
    backEnd.plays(peer -> {
      peer.expect(request);
      peer.answer(request, answer, event);
    });
  }
}
