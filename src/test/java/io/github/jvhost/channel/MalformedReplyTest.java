package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.brief;
import static io.github.jvhost.channel.ChannelPair.openFiles;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketIo;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One test for each way in which an answer can be wrong; each poisons, and nothing leaks. */
class MalformedReplyTest {
  private ChannelPair pair;

  @BeforeEach
  void open() throws Exception {
    pair = ChannelPair.open();
  }

  @AfterEach
  void nothingIsLeft() {
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
  }

  private void poisonedBy(Class<? extends VhostException> type, String message) {
    assertThatThrownBy(() -> pair.channel.awaitReply(soon()))
        .isExactlyInstanceOf(type)
        .hasMessageStartingWith("net0: ")
        .hasMessageContaining(message)
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
    assertPoisonedBy(message);
  }

  private void assertPoisonedBy(String message) {
    assertThat(pair.channel.poisoned()).isTrue();
    assertThat(pair.channel.receiveAvailable()).isTrue();
    List<Runnable> calls =
        List.of(
            () -> pair.channel.awaitReply(soon()),
            () -> pair.channel.flush(soon()),
            () -> pair.send(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, false));
    for (Runnable call : calls) {
      assertThatThrownBy(call::run)
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("cannot be used any more")
          .hasMessageContaining(message)
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.RECONNECT);
    }
  }

  private void raw(byte[] bytes, OwnedDescriptor... descriptors) {
    pair.peer.writeRaw(bytes, List.of(descriptors), soon());
  }

  @Test
  void wrongId() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.answer(15, u64(0));
    poisonedBy(ProtocolException.class, "a reply to message 15, expected one to GET_FEATURES (1)");
  }

  @Test
  void echoedNeedReply() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.peer.reply(1, 0xD, u64(0), List.of(), soon());
    poisonedBy(ProtocolException.class, "flags 0xd");
  }

  @Test
  void withoutTheReplyFlag() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.peer.reply(1, 0x1, u64(0), List.of(), soon());
    poisonedBy(ProtocolException.class, "flags 0x1");
  }

  @Test
  void anotherVersion() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.peer.reply(1, 0x6, u64(0), List.of(), soon());
    poisonedBy(ProtocolException.class, "version 2");
  }

  @Test
  void reservedFlags() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.peer.reply(1, 0x15, u64(0), List.of(), soon());
    poisonedBy(ProtocolException.class, "reserved flags");
  }

  @Test
  void tooSmall() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.answer(1, new byte[7]);
    poisonedBy(ProtocolException.class, "has 7 bytes, expected 8");
  }

  @Test
  void tooLarge() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.answer(1, new byte[9]);
    poisonedBy(ProtocolException.class, "has 9 bytes, expected 8");
  }

  @Test
  void aboveTheLimitIsRefusedAtTheHeader() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    raw(words(1, 5, 4097));
    poisonedBy(ProtocolException.class, "payload of 4097 bytes, at most 4096");
  }

  @Test
  void aSizeOfFourGigabytesIsRefusedAtTheHeader() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    raw(words(1, 5, -1));
    poisonedBy(ProtocolException.class, "payload of 4294967295 bytes");
  }

  @Test
  void anAcknowledgementThatIsNoNumber() {
    pair.channel.negotiated(ProtocolFeature.REPLY_ACK.mask());
    pair.send(FrontEndRequest.SET_FEATURES, new U64(0), true);
    pair.channel.flush(soon());
    pair.answer(2, new byte[4]);
    poisonedBy(ProtocolException.class, "the reply to SET_FEATURES has 4 bytes, expected 8");
  }

  @Test
  void aPayloadOutOfRange() {
    pair.send(FrontEndRequest.GET_VRING_BASE, new VringState(0, 0), false);
    pair.channel.flush(soon());
    pair.answer(11, words(256, 0));
    poisonedBy(ProtocolException.class, "ring index 256");
  }

  @Test
  void unexpectedDescriptors() throws Exception {
    long before = openFiles("memfd:");
    pair.ask(FrontEndRequest.GET_FEATURES);
    try (MemoryFile file = MemoryFile.create(pair.ledger, "stray", 4096)) {
      pair.answer(1, u64(0), file.descriptor());
    }
    poisonedBy(ProtocolException.class, "1 descriptors with the reply to GET_FEATURES, at most 0");
    assertThat(ChannelPair.besidesSockets(pair.ledger)).isEmpty();
    assertThat(openFiles("memfd:")).isEqualTo(before);
  }

  @Test
  void moreDescriptorsThanTheAnswerMayHave() throws Exception {
    long before = openFiles("memfd:");
    askForInflight();
    try (MemoryFile file = MemoryFile.create(pair.ledger, "twice", 4096)) {
      pair.answer(31, new byte[24], file.descriptor(), file.descriptor());
    }
    poisonedBy(ProtocolException.class, "2 descriptors");
    assertThat(openFiles("memfd:")).isEqualTo(before);
  }

  @Test
  void moreThanEightDescriptorsAreFatalAndLeakNothing() throws Exception {
    long before = openFiles("memfd:");
    askForInflight();
    try (MemoryFile file = MemoryFile.create(pair.ledger, "many", 4096)) {
      pair.answer(
          31,
          new byte[24],
          Collections.nCopies(SocketIo.MOST_DESCRIPTORS, file.descriptor())
              .toArray(OwnedDescriptor[]::new));
    }
    poisonedBy(ProtocolException.class, "253 descriptors with one message, at most 8");
    assertThat(ChannelPair.besidesSockets(pair.ledger)).isEmpty();
    assertThat(openFiles("memfd:")).isEqualTo(before);
  }

  @Test
  void descriptorsInTheMiddleOfAReply() throws Exception {
    long before = openFiles("memfd:");
    askForInflight();
    raw(words(31, 5, 24));
    try (MemoryFile file = MemoryFile.create(pair.ledger, "late", 4096)) {
      raw(new byte[24], file.descriptor());
    }
    poisonedBy(ProtocolException.class, "descriptors in the middle of the reply to GET_INFLIGHT");
    assertThat(openFiles("memfd:")).isEqualTo(before);
  }

  @Test
  void descriptorsOfAReplyThatIsNeverCompleteAreClosed() throws Exception {
    long before = openFiles("memfd:");
    askForInflight();
    try (MemoryFile file = MemoryFile.create(pair.ledger, "half", 4096)) {
      raw(words(31, 5, 24), file.descriptor());
    }
    assertThatThrownBy(() -> pair.channel.awaitReply(brief()))
        .isInstanceOf(DeadlineException.class);
    assertThat(ChannelPair.besidesSockets(pair.ledger)).isEmpty();
    assertThat(openFiles("memfd:")).isEqualTo(before);
  }

  private void askForInflight() {
    pair.channel.negotiated(ProtocolFeature.INFLIGHT_SHMFD.mask());
    pair.send(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256), false);
    pair.channel.flush(soon());
  }

  @Test
  void truncatedHeader() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    raw(new byte[] {1, 0, 0, 0, 5});
    pair.peer.close();
    poisonedBy(BackEndGoneException.class, "closed the connection 5 bytes into a reply");
  }

  @Test
  void truncatedPayload() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    raw(words(1, 5, 8, 0));
    pair.peer.close();
    poisonedBy(BackEndGoneException.class, "closed the connection 16 bytes into a reply");
  }

  @Test
  void hangUpInsteadOfAnAnswer() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.peer.receive(soon());
    pair.peer.close();
    poisonedBy(
        BackEndGoneException.class,
        "waiting for the reply to GET_FEATURES: the back end closed the connection");
  }

  @Test
  void aReplyNobodyAskedFor() {
    pair.answer(1, u64(0));
    assertThat(pair.channel.receiveAvailable()).isTrue();
    assertThat(pair.channel.poisoned()).isTrue();
    poisonedBy(ProtocolException.class, "message 1, and no reply is outstanding");
  }

  @Test
  void anAnswerToARequestThatIsStillInTheBufferIsForNobody() {
    pair.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
    pair.answer(1, u64(0));
    poisonedBy(ProtocolException.class, "no reply is outstanding");
  }

  @Test
  void anAcknowledgementNobodyAskedForBehindOneThatWasComesAfterIt() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    pair.answer(1, u64(7));
    pair.answer(3, u64(0));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(7));
    assertThat(pair.channel.receiveAvailable()).isTrue();
    poisonedBy(ProtocolException.class, "message 3, and no reply is outstanding");
  }

  @Test
  void aReplyThatComesAfterTheDeadlineIsNeverPairedWithALaterRequest() {
    pair.ask(FrontEndRequest.GET_FEATURES);
    assertThatThrownBy(() -> pair.channel.awaitReply(brief()))
        .isInstanceOf(DeadlineException.class)
        .hasMessageContaining("waiting for the reply to GET_FEATURES")
        .hasMessageContaining("none came within 20 ms");
    pair.answer(1, u64(7));
    assertPoisonedBy("waiting for the reply to GET_FEATURES");
  }

  @Test
  void whateverAPeerAnswersOnlyTheseExceptionsComeOut() throws Exception {
    SplittableRandom random = new SplittableRandom(77);
    for (int i = 0; i < 300; i++) {
      try (ChannelPair fuzzed = ChannelPair.open()) {
        for (int n = 0; n < 3; n++) {
          fuzzed.ask(FrontEndRequest.GET_FEATURES);
        }
        List<byte[]> script = new ArrayList<>();
        for (int n = 0; n < 3; n++) {
          script.add(words(1, 5, 8, random.nextInt(), random.nextInt()));
        }
        byte[] hurt = script.get(random.nextInt(3));
        hurt[random.nextInt(hurt.length)] = (byte) random.nextInt();
        for (byte[] bytes : script) {
          fuzzed.peer.writeRaw(bytes, List.of(), soon());
        }
        fuzzed.peer.close();
        try {
          for (int n = 0; n < 3; n++) {
            fuzzed.channel.awaitReply(soon());
          }
        } catch (ProtocolException | BackEndGoneException e) {
          assertThat(fuzzed.channel.poisoned()).as("seed 77 round %d: %s", i, e).isTrue();
        }
      }
    }
  }
}
