package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Peers that do not behave, or go: the relay passes on what there is, and goes on itself. */
@Timeout(60)
class RelayPeersTest {
  private RelayRig rig;

  @BeforeEach
  void makeRoom() throws IOException {
    rig = new RelayRig();
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    rig.close();
  }

  @Test
  void halfAMessageGoesOnAsItIsAndTheNextFrontEndIsServed() throws Exception {
    try (ServerSocketChannel server = rig.listen();
        var _ = rig.relay()) {
      try (SocketChannel client = rig.connectRaw();
          SocketChannel peer = server.accept()) {
        client.write(RelayRig.header(1, 0));
        client.write(RelayRig.header(2, 8));
        client.write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
        client.shutdownOutput(); // half closed: it would still read

        assertThat(RelayRig.readToTheEnd(peer)).hasSize(12 + 12 + 3);
        assertThat(RelayRig.readToTheEnd(client)).isEmpty();
      }
      assertThat(rig.seen.end()).isEqualTo("1: the front end closed the connection");
      assertThat(rig.seen.message().raw()).isFalse();
      assertThat(rig.seen.message().raw()).isTrue();
      try (SocketChannel client = rig.connectRaw();
          SocketChannel peer = server.accept()) {
        client.write(RelayRig.header(1, 0));
        assertThat(peer.read(ByteBuffer.allocate(100))).isEqualTo(12);
      }
      assertThat(rig.seen.end()).startsWith("2: ");
    }
  }

  @Test
  void bytesWithoutBordersGoOnAsTheyAre() throws Exception {
    byte[] rubbish = new byte[100_000];
    new SplittableRandom(4711).nextBytes(rubbish);
    try (ServerSocketChannel server = rig.listen();
        var _ = rig.relay();
        SocketChannel client = rig.connectRaw();
        SocketChannel peer = server.accept()) {
      var writing =
          ChannelPair.inThread(() -> {
            client.write(RelayRig.header(5, Header.MAX_PAYLOAD + 1));
            ByteBuffer all = ByteBuffer.wrap(rubbish);
            while (all.hasRemaining()) {
              client.write(all);
            }
            client.shutdownOutput();
            return true;
          });
      byte[] arrived = RelayRig.readToTheEnd(peer);

      assertThat(writing.get(20, TimeUnit.SECONDS)).isTrue();
      assertThat(arrived).hasSize(12 + rubbish.length).endsWith(rubbish);
      assertThat(rig.seen.message().raw()).isTrue();
    }
  }

  @Test
  void aReplyInFrontOfAHangUpArrives() throws Exception {
    try (ServerSocketChannel server = rig.listen();
        var _ = rig.relay();
        SocketChannel client = rig.connectRaw()) {
      try (SocketChannel peer = server.accept()) {
        peer.write(RelayRig.header(1, 0));
      }
      assertThat(RelayRig.readToTheEnd(client)).hasSize(12);
      assertThat(rig.seen.end()).isEqualTo("1: the back end closed the connection");
    }
  }

  /** How many bytes of messages a connection takes of which nobody reads anything. */
  private long held(ServerSocketChannel server) throws IOException {
    try (SocketChannel client = SocketChannel.open(server.getLocalAddress());
        SocketChannel _ = server.accept()) {
      long all = 0;
      for (int count = writeSome(client); count > 0; count = writeSome(client)) {
        all += count;
      }
      return all;
    }
  }

  /** Writes a message, or what there is room for of it; how much that was. */
  private static int writeSome(SocketChannel client) throws IOException {
    client.configureBlocking(false);
    ByteBuffer message = ByteBuffer.allocate(Header.SIZE + Header.MAX_PAYLOAD);
    message.put(RelayRig.header(26, Header.MAX_PAYLOAD)).clear();
    return client.write(message);
  }

  @Test
  void aBackEndThatNeverReadsHoldsUpOnlyUntilTheFrontEndGoes() throws Exception {
    try (ServerSocketChannel server = rig.listen();
        var _ = rig.relay()) {
      SocketChannel peer;
      try (SocketChannel client = rig.connectRaw()) {
        peer = server.accept();
        // More than one socket holds: the relay fills the other one, and then waits for room in it.
        long enough = held(server) * 3 / 2;
        Deadline deadline = soon();
        for (long written = 0; written < enough; written += writeSome(client)) {
          assertThat(deadline.expired()).isFalse();
        }
      }
      try (peer) {
        assertThat(rig.seen.end()).isEqualTo("1: the front end closed the connection");
      }
    }
  }

  @Test
  void withoutABackEndTheFrontEndIsHungUpOnAndTheRelayGoesOn() throws Exception {
    try (var _ = rig.relay()) {
      try (SocketChannel client = rig.connectRaw()) {
        assertThat(RelayRig.readToTheEnd(client)).isEmpty();
      }
      assertThat(rig.seen.end())
          .startsWith("1: the front end was refused: connecting to ")
          .contains("no such socket");
      try (ServerSocketChannel server = rig.listen();
          SocketChannel client = rig.connectRaw();
          SocketChannel peer = server.accept()) {
        client.write(RelayRig.header(1, 0));
        assertThat(peer.read(ByteBuffer.allocate(100))).isEqualTo(12);
      }
    }
  }

  @Test
  void whatIsNoSocketEndsTheChannelAlone() throws Exception {
    try (var listener = rig.backEnd();
        var _ = rig.relay();
        VhostUserChannel channel = rig.connect();
        BackEndConnection peer = Objects.requireNonNull(listener.accept(soon()))) {
      try (MemoryFile file = rig.file(1)) {
        channel.send(
            FrontEndRequest.SET_BACKEND_REQ_FD,
            NoPayload.INSTANCE,
            List.of(file.descriptor()),
            false,
            soon());
        channel.flush(soon());
      }
      peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
      channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
      channel.flush(soon());
      peer.receive(soon());
      peer.reply(1, Header.REPLY_FLAGS, u64(1), List.of(), soon());

      assertThat(channel.awaitReply(soon()).payload()).isEqualTo(new U64(1));
    }
  }

  @Test
  void closingEndsTheSessionToo() throws Exception {
    try (ServerSocketChannel server = rig.listen()) {
      Relay relay = rig.relay();
      try (SocketChannel client = rig.connectRaw();
          SocketChannel peer = server.accept()) {
        relay.close();
        relay.close();

        assertThat(RelayRig.readToTheEnd(client)).isEmpty();
        assertThat(RelayRig.readToTheEnd(peer)).isEmpty();
        assertThat(relay.isAlive()).isFalse();
      }
    }
  }

  @Test
  void itDoesNotTakeASocketThatIsServed() throws Exception {
    try (var _ = rig.relay()) {
      assertThatThrownBy(() -> Relay.start(rig.front, rig.back, rig.ledger, rig.seen))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("somebody listens");
    }
  }

  @Test
  void aBackEndThatGoesWithoutReadingIsSaid() throws Exception {
    try (ServerSocketChannel server = rig.listen();
        var _ = rig.relay();
        SocketChannel client = rig.connectRaw()) {
      try (SocketChannel _ = server.accept()) {
        client.write(RelayRig.header(1, 0));
        assertThat(rig.seen.message().raw()).isFalse();
      }
      assertThat(RelayRig.readToTheEnd(client)).isEmpty();
      assertThat(rig.seen.end()).isEqualTo("1: the back end closed the connection");
    }
  }

  @Test
  void itLeavesNothingWhereItCannotListen() {
    Path nowhere = rig.front.resolve("missing").resolve("f");
    assertThatThrownBy(() -> Relay.start(nowhere, rig.back, rig.ledger, rig.seen))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("listening on " + nowhere + ": ");
    assertThat(rig.ledger.describeOpen()).isEmpty();
  }

  private record Broken() implements RelayObserver {
    @Override
    public void connected(int session, long nanos) {
      throw new IllegalStateException("on purpose");
    }

    @Override
    public void passed(RelayedMessage message) {}

    @Override
    public void ended(int session, long nanos, String why) {}
  }

  @Test
  void anObserverThatThrowsEndsItAndItsCloseSaysSo() throws Exception {
    try (ServerSocketChannel server = rig.listen()) {
      Relay relay = Relay.start(rig.front, rig.back, rig.ledger, new Broken());
      try (SocketChannel client = rig.connectRaw();
          SocketChannel peer = server.accept()) {
        assertThat(RelayRig.readToTheEnd(client)).isEmpty();
        assertThat(RelayRig.readToTheEnd(peer)).isEmpty();
      }
      assertThatThrownBy(relay::close)
          .isInstanceOf(VhostException.class)
          .hasMessage("the relay had ended: on purpose");
      relay.close();
    }
  }
}
