package io.github.jvhost.channel;

import static io.github.jvhost.channel.BackEndPair.bytes;
import static io.github.jvhost.channel.BackEndPair.message;
import static io.github.jvhost.channel.ChannelPair.openFiles;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static io.github.jvhost.channel.ChannelPair.words;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.VringArea;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One test for each way in which a back end's request can be wrong. */
class MalformedBackEndRequestTest {
  private static final int CONFIG_CHANGE = 2;
  private static final int HOST_NOTIFIER = 3;
  private static final int CALL = 4;
  private static final int MAP = 9;

  private BackEndPair pair;
  private MemoryFile file;
  private long filesBefore;

  @BeforeEach
  void open() throws Exception {
    pair = BackEndPair.open();
    file = MemoryFile.create(pair.ledger, "stray", 4096);
    filesBefore = openFiles("memfd:");
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    assertThat(openFiles("memfd:")).isEqualTo(filesBefore);
    file.close();
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
  }

  private void send(byte[] bytes, int descriptors) {
    OwnedDescriptor descriptor = file.descriptor();
    pair.backEnd.writeRaw(bytes, Collections.nCopies(descriptors, descriptor), soon());
    pair.channel.serveAvailable();
  }

  private void closedBy(Class<? extends VhostException> type, String message) {
    assertThat(pair.handled).isEmpty();
    assertThat(pair.channel.isOpen()).isFalse();
    assertThat(pair.channel.number()).isEqualTo(-1);
    assertThat(pair.channel.failure())
        .isExactlyInstanceOf(type)
        .hasMessageStartingWith("net0 back-end channel: ")
        .hasMessageContaining(message)
        .extracting(e -> e.recovery())
        .isEqualTo(Recovery.RECONNECT);
  }

  @Test
  void aReply() {
    send(message(CONFIG_CHANGE, 0x5, new byte[0]), 0);
    closedBy(ProtocolException.class, "flags 0x5, expected 0x1 or 0x9");
  }

  @Test
  void aReplyThatWantsAReply() {
    send(message(CONFIG_CHANGE, 0xD, new byte[0]), 0);
    closedBy(ProtocolException.class, "flags 0xd, expected 0x1 or 0x9");
  }

  @Test
  void aReplyToNothingIsNotTakenForAnUnknownRequest() {
    send(message(77, 0x5, u64(0)), 0);
    closedBy(ProtocolException.class, "request 77 has flags 0x5");
  }

  @Test
  void anotherVersion() {
    send(message(CONFIG_CHANGE, 0x2, new byte[0]), 0);
    closedBy(ProtocolException.class, "version 2");
  }

  @Test
  void reservedFlags() {
    send(message(CONFIG_CHANGE, 0x11, new byte[0]), 0);
    closedBy(ProtocolException.class, "reserved flags");
  }

  @Test
  void tooSmall() {
    send(message(CALL, 0x9, new byte[4]), 0);
    closedBy(ProtocolException.class, "VRING_CALL has 4 bytes, expected 8");
  }

  @Test
  void trailingBytes() {
    send(message(CALL, 0x9, new byte[12]), 0);
    closedBy(ProtocolException.class, "VRING_CALL has 12 bytes, expected 8");
  }

  @Test
  void aSizeIsRefusedBeforeItsBytesAreThere() {
    send(words(CALL, 9, 4000), 0);
    closedBy(ProtocolException.class, "VRING_CALL has 4000 bytes");
  }

  @Test
  void aboveTheLimit() {
    send(words(99, 9, 4097), 0);
    closedBy(ProtocolException.class, "payload of 4097 bytes, at most 4096");
  }

  @Test
  void aValueOutOfRange() {
    send(message(CALL, 0x9, words(256, 0)), 0);
    closedBy(ProtocolException.class, "ring index 256");
  }

  @Test
  void aNumberThatMustBeZero() {
    send(message(CALL, 0x9, words(0, 1)), 0);
    closedBy(ProtocolException.class, "VRING_CALL with the number 1");
  }

  @Test
  void aTranslationFromTheBackEnd() {
    send(message(1, 0x9, bytes(new Iotlb(0, 1, 0, 3, Iotlb.UPDATE))), 0);
    closedBy(ProtocolException.class, "IOTLB_MSG of type 2");
  }

  @Test
  void descriptorsWhereNoneBelong() {
    send(message(CONFIG_CHANGE, 0x9, new byte[0]), 1);
    closedBy(ProtocolException.class, "CONFIG_CHANGE_MSG with 1 descriptors, expected 0");
  }

  @Test
  void tooManyDescriptors() {
    send(message(MAP, 0x9, bytes(new MmapRequest(0, 0, 0, 4096, false))), 2);
    closedBy(ProtocolException.class, "SHMEM_MAP with 2 descriptors, expected 1");
  }

  @Test
  void tooFewDescriptors() {
    send(message(MAP, 0x9, bytes(new MmapRequest(0, 0, 0, 4096, false))), 0);
    closedBy(ProtocolException.class, "SHMEM_MAP with 0 descriptors, expected 1");
  }

  @Test
  void aDoorbellThatAnnouncesOneAndBringsNone() {
    send(message(HOST_NOTIFIER, 0x9, bytes(new VringArea(0, false, 4096, 0))), 0);
    closedBy(ProtocolException.class, "with 0 descriptors, expected 1");
  }

  @Test
  void aDoorbellThatAnnouncesNoneAndBringsOne() {
    send(message(HOST_NOTIFIER, 0x9, bytes(new VringArea(0, true, 0, 0))), 1);
    closedBy(ProtocolException.class, "with 1 descriptors, expected 0");
  }

  @Test
  void moreThanEightDescriptors() {
    send(message(MAP, 0x9, bytes(new MmapRequest(0, 0, 0, 4096, false))), 9);
    closedBy(ProtocolException.class, "9 descriptors with one message, at most 8");
  }

  @Test
  void descriptorsInTheMiddle() {
    send(words(MAP, 9, 40), 0);
    send(bytes(new MmapRequest(0, 0, 0, 4096, false)), 1);
    closedBy(ProtocolException.class, "descriptors in the middle of a request");
  }

  @Test
  void truncatedHeader() {
    send(new byte[] {4, 0, 0, 0, 9}, 0);
    assertThat(pair.channel.isOpen()).as("the rest may come").isTrue();
    pair.backEnd.close();
    pair.channel.serveAvailable();
    closedBy(BackEndGoneException.class, "the back end closed it 5 bytes into a request");
  }

  @Test
  void truncatedPayload() {
    send(words(CALL, 9, 8, 1), 0);
    pair.backEnd.close();
    pair.channel.serveAvailable();
    closedBy(BackEndGoneException.class, "the back end closed it 16 bytes into a request");
  }

  @Test
  void theDescriptorsOfARequestThatNeverComesToItsEnd() {
    send(words(MAP, 9, 40), 1);
    assertThat(ChannelPair.besidesSockets(pair.ledger))
        .as("the file's and the one that came")
        .hasSize(2);
    pair.channel.close();
    assertThat(ChannelPair.besidesSockets(pair.ledger)).hasSize(1);
  }

  @Test
  void whatWasAskedBeforeTheBrokenOneIsServed() {
    byte[] good = message(CALL, 0x9, words(1, 0));
    pair.backEnd.writeRaw(good, List.of(), soon());
    pair.channel.serveAvailable();
    assertThat(pair.handled).hasSize(1);
    pair.handled.clear();
    send(message(CONFIG_CHANGE, 0xD, new byte[0]), 0);
    closedBy(ProtocolException.class, "flags 0xd");
    assertThat(pair.backEnd.awaitAnswer(soon()).result()).isZero();
  }
}
