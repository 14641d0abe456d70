package io.github.jvhost.channel;

import static io.github.jvhost.channel.BackEndPair.bytes;
import static io.github.jvhost.channel.ChannelPair.brief;
import static io.github.jvhost.channel.ChannelPair.openFiles;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.FlightRecording;
import io.github.jvhost.Recovery;
import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndRequester;
import io.github.jvhost.channel.backend.FrontEndGoneException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.VringArea;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketPair;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a back end asks, handed on and answered. */
class BackEndChannelTest {
  private BackEndPair pair;
  private long socketsBefore;

  @BeforeEach
  void open() throws Exception {
    socketsBefore = openFiles("socket:");
    pair = BackEndPair.open();
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
    assertThat(openFiles("socket:")).isEqualTo(socketsBefore);
  }

  private long answer() {
    BackEndRequester.BackEndAnswer answer = pair.backEnd.awaitAnswer(soon());
    answer.descriptors().forEach(OwnedDescriptor::close);
    return answer.result();
  }

  @Test
  void everyRequestArrivesAsItWasSent() {
    try (MemoryFile file = MemoryFile.create(pair.ledger, "page", 4096)) {
      var object = new SharedObject(UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"));
      var mapping = new MmapRequest(3, 0, 4096, 4096, true);
      pair.ask(BackEndRequest.IOTLB_MSG, bytes(new Iotlb(1, 2, 3, 1, Iotlb.MISS)));
      pair.ask(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0]);
      pair.ask(
          BackEndRequest.VRING_HOST_NOTIFIER_MSG,
          bytes(new VringArea(2, false, 4096, 0)),
          file.descriptor());
      pair.ask(BackEndRequest.VRING_CALL, bytes(new VringState(1, 0)));
      pair.ask(BackEndRequest.VRING_ERR, bytes(new VringState(1, 0)));
      pair.ask(BackEndRequest.SHARED_OBJECT_ADD, bytes(object));
      pair.ask(BackEndRequest.SHARED_OBJECT_REMOVE, bytes(object));
      pair.ask(BackEndRequest.SHMEM_MAP, bytes(mapping), file.descriptor());
      pair.ask(BackEndRequest.SHMEM_UNMAP, bytes(mapping));
      for (int i = 0; i < 9; i++) {
        assertThat(answer()).isZero();
      }
      assertThat(pair.payloads)
          .containsExactly(
              new Iotlb(1, 2, 3, 1, Iotlb.MISS),
              NoPayload.INSTANCE,
              new VringArea(2, false, 4096, 0),
              new VringState(1, 0),
              new VringState(1, 0),
              object,
              object,
              mapping,
              mapping);
      assertThat(pair.channel.served()).isEqualTo(9);
    }
  }

  @Test
  void whoAsksForNoAnswerGetsNone() {
    pair.backEnd.send(2, new byte[0], List.of(), false, soon());
    pair.channel.serveAvailable();
    assertThat(pair.handled).containsExactly(BackEndRequest.CONFIG_CHANGE_MSG);
    assertThatThrownBy(() -> pair.backEnd.awaitAnswer(brief()))
        .isInstanceOf(DeadlineException.class);
  }

  @Test
  void anObjectThatIsFoundTravelsWithTheAnswerAndStaysTheHandlers() {
    try (MemoryFile object = MemoryFile.create(pair.ledger, "object", 8192)) {
      pair.answer = new Answer(0, object.descriptor());
      byte[] uuid = bytes(new SharedObject(new UUID(1, 2)));
      pair.backEnd.send(BackEndRequest.SHARED_OBJECT_LOOKUP, uuid, List.of(), false, soon());
      pair.channel.serveAvailable();
      BackEndRequester.BackEndAnswer answer = pair.backEnd.awaitAnswer(soon());
      assertThat(answer.result()).isZero();
      try (MemoryFile received = MemoryFile.adopt(answer.descriptors().getFirst())) {
        assertThat(received.size()).isEqualTo(8192);
      }
      assertThat(object.descriptor().isOpen()).isTrue();
    }
  }

  /** It is refused, and is the handler's to close as any other that it answers with. */
  @Test
  void aDescriptorThatBelongsToNoAnswerStaysTheHandlers() {
    try (MemoryFile stray = MemoryFile.create(pair.ledger, "stray", 4096)) {
      pair.answer = new Answer(0, stray.descriptor());
      pair.ask(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0]);
      BackEndRequester.BackEndAnswer answer = pair.backEnd.awaitAnswer(soon());
      assertThat(answer.result()).isEqualTo(1);
      assertThat(answer.descriptors()).isEmpty();
      assertThat(stray.descriptor().isOpen()).isTrue();
    }
  }

  @Test
  void anObjectThatIsNotFoundIsAnsweredAsWell() {
    pair.answer = Answer.REFUSED;
    byte[] uuid = bytes(new SharedObject(new UUID(1, 2)));
    pair.backEnd.send(BackEndRequest.SHARED_OBJECT_LOOKUP, uuid, List.of(), false, soon());
    pair.channel.serveAvailable();
    assertThat(answer()).isEqualTo(1);
  }

  @Test
  void anUnknownRequestIsAnsweredWithFailureAndItsDescriptorsAreClosed() throws Exception {
    long before = openFiles("memfd:");
    try (MemoryFile file = MemoryFile.create(pair.ledger, "stray", 4096)) {
      for (int id : new int[] {0, 11, -1}) {
        pair.backEnd.send(id, new byte[100], List.of(file.descriptor()), true, soon());
        pair.channel.serveAvailable();
        assertThat(answer()).isEqualTo(1);
      }
    }
    assertThat(pair.handled).isEmpty();
    assertThat(pair.channel.isOpen()).isTrue();
    assertThat(openFiles("memfd:")).isEqualTo(before);
  }

  @Test
  void whatWasNotNegotiatedIsAnsweredWithFailureAndNotHandedOn() {
    for (BackEndRequest request : BackEndRequest.values()) {
      pair.channel.negotiated(BackEndPair.EVERYTHING & ~request.gateMask());
      pair.channel.negotiatedFeatures(~request.featureMask());
      pair.ask(request, new byte[request.payload().minSize()]);
      assertThat(answer()).as(request.name()).isEqualTo(1);
    }
    assertThat(pair.handled).isEmpty();
    assertThat(pair.channel.failure()).isNull();
  }

  @Test
  void descriptorsNeedTheFeatureThatAllowsThem() {
    pair.channel.negotiated(BackEndPair.EVERYTHING & ~ProtocolFeature.BACKEND_SEND_FD.mask());
    try (MemoryFile file = MemoryFile.create(pair.ledger, "page", 4096)) {
      pair.ask(
          BackEndRequest.VRING_HOST_NOTIFIER_MSG,
          bytes(new VringArea(2, false, 4096, 0)),
          file.descriptor());
    }
    assertThat(answer()).isEqualTo(1);
    assertThat(pair.handled).isEmpty();
  }

  @Test
  void aFeatureThatTheDialectMasksIsNotTakenForItsUpstreamMeaning() {
    try (BackEndPair rfc = BackEndPair.open(Dialect.RFC_2023, DescriptorLedger.tracing())) {
      rfc.ask(BackEndRequest.SHARED_OBJECT_ADD, new byte[16]);
      assertThat(rfc.backEnd.awaitAnswer(soon()).result()).isEqualTo(1);
      assertThat(rfc.handled).isEmpty();
    }
  }

  @Test
  void aRequestInPiecesIsServedOnceItIsWhole() {
    byte[] whole = BackEndPair.message(4, 9, words(5, 0));
    for (byte one : whole) {
      assertThat(pair.handled).isEmpty();
      pair.backEnd.writeRaw(new byte[] {one}, List.of(), soon());
      pair.channel.serveAvailable();
    }
    assertThat(pair.payloads).containsExactly(new VringState(5, 0));
    assertThat(answer()).isZero();
  }

  @Test
  void manyAtOnceAreServedInOneTurnInOrder() {
    for (int ring = 0; ring < 20; ring++) {
      pair.backEnd.send(4, words(ring, 0), List.of(), false, soon());
    }
    pair.channel.serveAvailable();
    assertThat(pair.payloads).hasSize(20).last().isEqualTo(new VringState(19, 0));
  }

  @Test
  void aBackEndThatAsksWithoutEndIsNotServedWithoutEnd() {
    byte[] one = BackEndPair.message(2, 1, new byte[0]);
    byte[] all = new byte[one.length * 150];
    for (int at = 0; at < all.length; at += one.length) {
      System.arraycopy(one, 0, all, at, one.length);
    }
    pair.backEnd.writeRaw(all, List.of(), soon());
    pair.channel.serveAvailable();
    assertThat(pair.handled).hasSizeBetween(1, 149);
    pair.channel.serveAvailable();
    assertThat(pair.handled).hasSize(150);
  }

  @Test
  void aBackEndThatDoesNotReadItsAnswersLosesTheChannelAndHoldsNobody() {
    for (int i = 0; i < 100_000 && pair.channel.isOpen(); i++) {
      pair.ask(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0]);
    }
    assertThat(pair.channel.isOpen()).isFalse();
    assertThat(pair.channel.number()).isEqualTo(-1);
    assertThat(pair.channel.failure())
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("net0 back-end channel")
        .hasMessageContaining("does not read its answers");
  }

  @Test
  void aHandlerThatFailsRefusesAndKeepsTheChannel() {
    List<OwnedDescriptor> seen = new ArrayList<>();
    BackEndChannel.Opened opened =
        BackEndChannel.open(
            "net1",
            Dialect.UPSTREAM,
            pair.ledger,
            (_, _, descriptors) -> {
              seen.addAll(descriptors);
              throw new IllegalStateException("on purpose");
            });
    try (BackEndChannel channel = opened.channel();
        BackEndRequester peer = BackEndRequester.adopt(opened.theirs(), "peer", pair.ledger);
        MemoryFile file = MemoryFile.create(pair.ledger, "page", 4096)) {
      channel.negotiated(BackEndPair.EVERYTHING);
      peer.send(
          BackEndRequest.SHMEM_MAP,
          bytes(new MmapRequest(0, 0, 0, 4096, false)),
          List.of(file.descriptor()),
          true,
          soon());
      channel.serveAvailable();
      assertThat(peer.awaitAnswer(soon()).result()).isEqualTo(1);
      assertThat(channel.isOpen()).isTrue();
      assertThat(seen).singleElement().matches(descriptor -> !descriptor.isOpen());
    }
  }

  @Test
  void aDescriptorThatTheHandlerTakesIsItsOwn() {
    List<OwnedDescriptor> kept = new ArrayList<>();
    BackEndChannel.Opened opened =
        BackEndChannel.open(
            "net1",
            Dialect.UPSTREAM,
            pair.ledger,
            (_, _, descriptors) -> {
              kept.add(descriptors.removeFirst());
              return Answer.DONE;
            });
    try (BackEndChannel channel = opened.channel();
        BackEndRequester peer = BackEndRequester.adopt(opened.theirs(), "peer", pair.ledger);
        MemoryFile file = MemoryFile.create(pair.ledger, "page", 4096)) {
      channel.negotiated(BackEndPair.EVERYTHING);
      peer.send(
          BackEndRequest.SHMEM_MAP,
          bytes(new MmapRequest(0, 0, 0, 4096, false)),
          List.of(file.descriptor()),
          true,
          soon());
      channel.serveAvailable();
      assertThat(peer.awaitAnswer(soon()).result()).isZero();
      assertThat(kept).singleElement().matches(OwnedDescriptor::isOpen);
      kept.forEach(OwnedDescriptor::close);
    }
  }

  @Test
  void aBackEndThatHangsUpIsNoticedAndThatIsAll() {
    pair.backEnd.close();
    pair.channel.serveAvailable();
    assertThat(pair.channel.isOpen()).isFalse();
    assertThat(pair.channel.failure())
        .isInstanceOf(BackEndGoneException.class)
        .hasMessageContaining("the back end closed it");
    pair.channel.serveAvailable();
  }

  @Test
  void anObjectThatIsClosedBeforeItIsSentEndsTheChannelAlone() {
    MemoryFile object = MemoryFile.create(pair.ledger, "object", 4096);
    object.close();
    pair.answer = new Answer(0, object.descriptor());
    pair.ask(BackEndRequest.SHARED_OBJECT_LOOKUP, bytes(new SharedObject(new UUID(1, 2))));
    assertThat(pair.channel.isOpen()).isFalse();
    assertThat(pair.channel.failure())
        .hasMessage("net0 back-end channel: answering: memfd object is closed")
        .extracting(e -> e.recovery())
        .isEqualTo(Recovery.RECONNECT);
  }

  @Test
  void aBackEndThatHangsUpOnAnAnswerIsGoneLikeAnyOther() {
    pair.ask(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0]);
    pair.backEnd.close();
    pair.channel.serveAvailable();
    assertThat(pair.channel.failure())
        .isInstanceOf(BackEndGoneException.class)
        .hasMessage("net0 back-end channel: the back end closed it");
  }

  /** What a back end under test makes of an answer that is none. */
  @Test
  void whatIsNoAnswerIsSaidToTheBackEndAndItsDescriptorsAreClosed() {
    SocketPair sockets = SocketPair.open(pair.ledger, "pair");
    try (BackEndConnection frontEnd = BackEndConnection.adopt(sockets.one(), "a", pair.ledger);
        BackEndRequester backEnd = BackEndRequester.adopt(sockets.other(), "b", pair.ledger);
        MemoryFile file = MemoryFile.create(pair.ledger, "stray", 4096)) {
      frontEnd.reply(2, 1, new byte[4], List.of(file.descriptor()), soon());
      assertThatThrownBy(() -> backEnd.awaitAnswer(soon()))
          .isInstanceOf(ProtocolException.class)
          .hasMessage(
              "b: the answer to back-end request 2 has flags 0x1 and 4 bytes, expected 0x5 and 8");
      assertThat(ChannelPair.besidesSockets(pair.ledger)).as("only the file's own").hasSize(1);
    }
  }

  @Test
  void aBackEndThatDoesNotWaitForItsAnswerIsGoneLikeAnyOther() {
    pair.backEnd.send(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0], List.of(), true, soon());
    pair.backEnd.close();
    pair.channel.serveAvailable();
    assertThat(pair.handled).containsExactly(BackEndRequest.CONFIG_CHANGE_MSG);
    assertThat(pair.channel.failure())
        .isInstanceOf(BackEndGoneException.class)
        .hasMessageStartingWith("net0 back-end channel: the back end closed it (")
        .hasMessageContaining("EPIPE");
  }

  @Test
  void aHandlerMayCloseTheChannelItIsCalledBy() {
    pair.action = pair.channel::close;
    pair.ask(BackEndRequest.CONFIG_CHANGE_MSG, new byte[0]);
    assertThat(pair.channel.isOpen()).isFalse();
    assertThat(pair.channel.failure()).isNull();
    assertThatThrownBy(() -> pair.backEnd.awaitAnswer(soon()))
        .isInstanceOf(FrontEndGoneException.class);
  }

  @Test
  void aRecordingShowsWhatABackEndAskedAndWasAnswered() {
    try (var recording = FlightRecording.start();
        MemoryFile object = MemoryFile.create(pair.ledger, "object", 4096)) {
      pair.answer = new Answer(0, object.descriptor());
      pair.ask(BackEndRequest.SHARED_OBJECT_LOOKUP, bytes(new SharedObject(new UUID(1, 2))));
      assertThat(answer()).isZero();
      pair.backEnd.send(11, new byte[0], List.of(), true, soon());
      pair.channel.serveAvailable();
      assertThat(answer()).isEqualTo(1);

      assertThat(recording.events("Message", "net0"))
          .extracting(
              e -> e.getString("direction"),
              e -> e.getString("request"),
              e -> e.getBoolean("reply"),
              e -> e.getInt("bytes"),
              e -> e.getInt("descriptors"))
          .containsExactly(
              tuple("received", "SHARED_OBJECT_LOOKUP", false, 28, 0),
              tuple("sent", "SHARED_OBJECT_LOOKUP", true, 20, 1),
              tuple("received", "request 11", false, 12, 0),
              tuple("sent", "request 11", true, 20, 0));
    }
  }
}
