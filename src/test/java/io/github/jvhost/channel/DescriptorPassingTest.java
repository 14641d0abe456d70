package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.flagsOf;
import static io.github.jvhost.channel.ChannelPair.openFiles;
import static io.github.jvhost.channel.ChannelPair.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Each descriptor arrives with its message, alive, close-on-exec, and exactly once. */
class DescriptorPassingTest {
  private static final int PAGE = 4096;

  private ChannelPair pair;
  private long memoryFilesBefore;

  @BeforeEach
  void open() throws Exception {
    memoryFilesBefore = openFiles("memfd:");
    pair = ChannelPair.open();
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
    assertThat(openFiles("memfd:")).isEqualTo(memoryFilesBefore);
  }

  /** A file that can be told from the others by its size. */
  private MemoryFile file(int pages) {
    return MemoryFile.create(pair.ledger, "file of " + pages, (long) pages * PAGE);
  }

  private static long pagesOf(OwnedDescriptor received) {
    try (MemoryFile file = MemoryFile.adopt(received)) {
      return file.size() / PAGE;
    }
  }

  @Test
  void descriptorsArriveWithTheRightMessageAcrossTwoThousandMessages() {
    SplittableRandom random = new SplittableRandom(4711);
    int sent = 0;
    while (sent < 2_000) {
      List<MemoryFile> files = new ArrayList<>();
      List<Integer> expected = new ArrayList<>(); // pages of the descriptor, 0: a plain message
      for (int n = 1 + random.nextInt(30); n > 0; n--) {
        if (random.nextInt(3) == 0) {
          MemoryFile file = file(++sent);
          files.add(file);
          expected.add(sent);
          pair.channel.send(
              FrontEndRequest.SET_VRING_KICK,
              new VringDescriptor(sent & 0xFF, false),
              List.of(file.descriptor()),
              false,
              soon());
        } else {
          ++sent;
          expected.add(0);
          pair.send(FrontEndRequest.SET_VRING_BASE, new VringState(sent & 0xFF, sent), false);
        }
      }
      pair.channel.flush(soon());
      files.forEach(MemoryFile::close);
      for (int pages : expected) {
        Received received = pair.peer.receive(soon());
        assertThat(received.descriptors())
            .as("seed 4711, message %d", pages)
            .hasSize(pages == 0 ? 0 : 1);
        if (pages != 0) {
          assertThat(received.header().request()).isEqualTo(12);
          assertThat(received.payload()[0]).isEqualTo((byte) pages);
          assertThat(pagesOf(received.descriptors().getFirst())).isEqualTo(pages);
        }
      }
    }
  }

  @Test
  void eightDescriptorsTravelInOrderWithTwoSegmentsOfPlainMessagesBehind() {
    List<MemoryFile> files = new ArrayList<>();
    List<MemoryRegionPayload> regions = new ArrayList<>();
    for (int i = 1; i <= 8; i++) {
      files.add(file(i));
      regions.add(new MemoryRegionPayload(i * 65536L, PAGE, i, 0));
    }
    pair.channel.send(
        FrontEndRequest.SET_MEM_TABLE,
        new MemoryTablePayload(regions),
        files.stream().map(MemoryFile::descriptor).toList(),
        false,
        soon());
    for (int i = 0; i < 3_000; i++) {
      pair.send(FrontEndRequest.SET_VRING_BASE, new VringState(0, i), false);
    }
    pair.channel.flush(soon());
    files.forEach(MemoryFile::close);
    Received table = pair.peer.receive(soon());
    assertThat(table.header().size()).isEqualTo(264);
    assertThat(table.descriptors()).hasSize(8);
    for (int i = 0; i < 8; i++) {
      assertThat(pagesOf(table.descriptors().get(i))).isEqualTo(i + 1);
    }
    for (int i = 0; i < 3_000; i++) {
      Received plain = pair.peer.receive(soon());
      assertThat(plain.payload()).isEqualTo(ChannelPair.words(0, i));
      assertThat(plain.descriptors()).isEmpty();
    }
  }

  @Test
  void repliesWithDescriptorsAmongPlainOnesKeepTheirOwn() {
    pair.channel.negotiated(ProtocolFeature.INFLIGHT_SHMFD.mask());
    for (int round = 1; round <= 50; round++) {
      for (int i = 0; i < 3; i++) {
        pair.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, false);
        pair.send(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256), false);
      }
      pair.channel.flush(soon());
      for (int i = 0; i < 3; i++) {
        pair.answer(1, ChannelPair.u64(i));
        try (MemoryFile file = file(round * 3 + i)) {
          ByteBuf payload = Unpooled.buffer();
          new Inflight(PAGE, 0, 2, 256).encode(payload);
          pair.answer(31, Arrays.copyOf(payload.array(), 24), file.descriptor());
        }
      }
      for (int i = 0; i < 3; i++) {
        Reply plain = pair.channel.awaitReply(soon());
        assertThat(plain.payload()).isEqualTo(new U64(i));
        assertThat(plain.descriptors()).isEmpty();
        Reply inflight = pair.channel.awaitReply(soon());
        assertThat(inflight.descriptors()).hasSize(1);
        assertThat(pagesOf(inflight.descriptors().getFirst())).isEqualTo(round * 3L + i);
      }
    }
  }

  @Test
  void receivedDescriptorsAreCloseOnExecAndSurviveTheirConnection() throws Exception {
    try (MemoryFile file = file(3)) {
      pair.channel.send(
          FrontEndRequest.SET_VRING_CALL,
          new VringDescriptor(0, false),
          List.of(file.descriptor()),
          false,
          soon());
      pair.channel.flush(soon());
    }
    OwnedDescriptor received = pair.peer.receive(soon()).descriptors().getFirst();
    assertThat(flagsOf(received.number())).as("O_CLOEXEC is 02000000").contains("02");
    pair.close();
    assertThat(pagesOf(received)).isEqualTo(3);
  }

  @Test
  void aReplyThatNobodyFetchedIsClosedWithTheChannel() {
    pair.channel.negotiated(ProtocolFeature.INFLIGHT_SHMFD.mask());
    pair.send(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256), false);
    pair.channel.flush(soon());
    try (MemoryFile file = file(1)) {
      pair.answer(31, new byte[24], file.descriptor());
    }
    while (!pair.channel.receiveAvailable()) {
      Thread.onSpinWait();
    }
    assertThat(ChannelPair.besidesSockets(pair.ledger)).hasSize(1);
    pair.channel.close();
    assertThat(ChannelPair.besidesSockets(pair.ledger)).isEmpty();
  }

  /** The socket library loses 8 of 2,000 that a virtual thread sends. */
  @Test
  void aVirtualThreadSendsDescriptorsLikeAnyOther() throws Exception {
    int messages = 2_000;
    FutureTask<Void> task =
        new FutureTask<>(() -> {
          try (MemoryFile file = file(1)) {
            for (int i = 0; i < messages; i++) {
              pair.channel.send(
                  FrontEndRequest.SET_VRING_KICK,
                  new VringDescriptor(i & 0xFF, false),
                  List.of(file.descriptor()),
                  false,
                  soon());
              pair.channel.flush(soon());
            }
          }
          return null;
        });
    Thread.ofVirtual().start(task);
    for (int i = 0; i < messages; i++) {
      Received received = pair.peer.receive(soon());
      assertThat(received.descriptors()).as("message %d", i).hasSize(1);
      received.descriptors().getFirst().close();
    }
    task.get();
  }

  @Test
  void aDescriptorThatIsClosedBeforeItWasWrittenEndsTheConnection() {
    MemoryFile file = file(1);
    pair.channel.send(
        FrontEndRequest.SET_VRING_KICK,
        new VringDescriptor(0, false),
        List.of(file.descriptor()),
        false,
        soon());
    file.close();
    assertThatThrownBy(() -> pair.channel.flush(soon()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("sending SET_VRING_KICK")
        .hasMessageContaining("is closed")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
  }

  @Test
  void aPeerThatGoesWithDescriptorsUnreadLeavesNone() {
    try (MemoryFile file = file(1)) {
      pair.channel.send(
          FrontEndRequest.SET_VRING_KICK,
          new VringDescriptor(0, false),
          List.of(file.descriptor()),
          false,
          soon());
      pair.channel.flush(soon());
    }
    pair.peer.close();
    assertThat(ChannelPair.besidesSockets(pair.ledger)).isEmpty();
  }

  /** Descriptors stay the caller's until the message has left, which is at the next flush. */
  @Test
  void aDescriptorThatIsClosedBeforeItsMessageLeftIsSaid() {
    MemoryFile file = file(1);
    pair.channel.send(
        FrontEndRequest.SET_VRING_KICK,
        new VringDescriptor(0, false),
        List.of(file.descriptor()),
        false,
        soon());
    file.close();
    assertThatThrownBy(() -> pair.channel.flush(soon()))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: sending SET_VRING_KICK: memfd file of 1 is closed")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
    assertThat(pair.channel.poisoned()).isTrue();
  }
}
