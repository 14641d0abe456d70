package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.brief;
import static io.github.jvhost.channel.ChannelPair.flagsOf;
import static io.github.jvhost.channel.ChannelPair.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.channel.backend.FrontEndGoneException;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketPair;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.newsclub.net.unix.AFUNIXDatagramChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/** Sockets with a path, and the back end's side of a connection. */
class ConnectTest {
  @TempDir private Path directory;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  private VhostUserChannel connect(Path path, Deadline deadline) {
    return VhostUserChannel.connect(path, "net0", Dialect.UPSTREAM, ledger, deadline);
  }

  private BackEndConnection accept(BackEndListener listener) {
    BackEndConnection connection = listener.accept(soon());
    if (connection == null) {
      throw new AssertionError("nobody connected");
    }
    return connection;
  }

  @Test
  void aRoundTripOverARealPathAndTheFileIsGoneAfterwards() throws Exception {
    Path path = directory.resolve("be");
    try (BackEndListener listener = BackEndListener.listen(path, ledger)) {
      assertThat(listener.accept(brief())).isNull();
      try (VhostUserChannel channel = connect(path, soon());
          BackEndConnection peer = accept(listener)) {
        assertThat(flagsOf(channel.number()))
            .as("close-on-exec is 02000000, read and write 2")
            .matches(".*0200\\d002");
        channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
        channel.flush(soon());
        Received request = peer.receive(soon());
        peer.reply(request.header().request(), 5, ChannelPair.u64(5), List.of(), soon());
        assertThat(channel.awaitReply(soon()).payload()).isEqualTo(new U64(5));
      }
    }
    assertThat(path).doesNotExist();
  }

  @Test
  void aMissingSocketIsNamed() {
    Path path = directory.resolve("nowhere");
    assertThatThrownBy(() -> connect(path, soon()))
        .isInstanceOf(VhostException.class)
        .hasMessage(
            "net0: connecting to " + path + ": no such socket; it is there once the back end runs")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RETRY);
  }

  private void assertRefused(Path path, Recovery recovery, String why) {
    assertThatThrownBy(() -> connect(path, soon()))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: connecting to " + path + ": " + why)
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(recovery);
  }

  @Test
  void whatIsNoSocketIsCalledThat() throws Exception {
    assertRefused(
        Files.createFile(directory.resolve("plain")),
        Recovery.GIVE_UP,
        "it is a file and no socket");
    assertRefused(
        Files.createDirectory(directory.resolve("folder")),
        Recovery.GIVE_UP,
        "it is a directory and no socket");
  }

  @Test
  void aSocketThatNobodyListensOnIsToldFromOneThatIsNotThere() throws Exception {
    Path path = directory.resolve("stale");
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(path));
    }
    assertRefused(
        path,
        Recovery.RETRY,
        "nobody listens on it any more; the back end has to be started again");
  }

  @Test
  void aSocketOfAnotherKindIsCalledThat() throws Exception {
    Path path = directory.resolve("datagrams");
    try (var socket = AFUNIXDatagramChannel.open()) {
      socket.bind(AFUNIXSocketAddress.of(path));
      assertRefused(
          path,
          Recovery.GIVE_UP,
          "it is a socket of another kind, and this has to be a stream socket");
    }
  }

  @Test
  void aPathThatDoesNotFitIsRefused() {
    assertThatThrownBy(() -> connect(directory.resolve("x".repeat(120)), soon()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("at most 107 bytes")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
  }

  @Test
  void aBackEndThatNeverAcceptsCannotHoldAConnectPastItsDeadline() {
    Path path = directory.resolve("be");
    List<VhostUserChannel> waiting = new ArrayList<>();
    try (BackEndListener _ = BackEndListener.listen(path, ledger)) {
      assertThatThrownBy(
              () -> {
                while (true) {
                  waiting.add(connect(path, brief()));
                }
              })
          .isInstanceOf(DeadlineException.class)
          .hasMessageContaining("no room for a connection");
      assertThat(waiting).isNotEmpty();
    } finally {
      waiting.forEach(VhostUserChannel::close);
    }
  }

  @Test
  void aPathInUseCannotBeListenedOn() throws Exception {
    Path path = Files.createDirectory(directory.resolve("taken")).resolve("x/y");
    assertThatThrownBy(() -> BackEndListener.listen(path, ledger))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("listening on");
  }

  @Test
  void aRequestInPiecesIsKeptOverADeadline() throws Exception {
    SocketPair sockets = SocketPair.open(ledger, "pair");
    try (BackEndConnection sender = BackEndConnection.adopt(sockets.one(), "a", ledger);
        BackEndConnection receiver = BackEndConnection.adopt(sockets.other(), "b", ledger)) {
      for (int[] part : new int[][] {{2, 1}, {8, 6}}) {
        sender.writeRaw(ChannelPair.words(part), List.of(), soon());
        assertThatThrownBy(() -> receiver.receive(brief())).isInstanceOf(DeadlineException.class);
      }
      sender.writeRaw(ChannelPair.words(7), List.of(), soon());
      assertThat(receiver.receive(soon()).payload()).isEqualTo(ChannelPair.words(6, 7));
    }
  }

  @Test
  void aFrontEndThatGoesIsNoticedReadingAndWriting() throws Exception {
    try (ChannelPair pair = ChannelPair.open()) {
      pair.channel.close();
      assertThatThrownBy(() -> pair.peer.receive(soon()))
          .isInstanceOf(FrontEndGoneException.class)
          .hasMessageContaining("the front end closed the connection");
      assertThatThrownBy(() -> pair.peer.writeRaw(new byte[1], List.of(), soon()))
          .isInstanceOf(FrontEndGoneException.class);
    }
  }

  @Test
  void aBackEndClosesTheDescriptorsOfAHeaderThatMakesNoSense() throws Exception {
    SocketPair sockets = SocketPair.open(ledger, "pair");
    try (BackEndConnection sender = BackEndConnection.adopt(sockets.one(), "a", ledger);
        BackEndConnection receiver = BackEndConnection.adopt(sockets.other(), "b", ledger);
        MemoryFile file = MemoryFile.create(ledger, "stray", 4096)) {
      sender.writeRaw(ChannelPair.words(1, 2, 0), List.of(file.descriptor()), soon());
      assertThatThrownBy(() -> receiver.receive(soon())).isInstanceOf(ProtocolException.class);
      assertThat(ChannelPair.besidesSockets(ledger)).as("only the file's own").hasSize(1);
    }
  }

  @Test
  void aPeerThatDoesNotReadCannotHoldABackEndEither() throws Exception {
    try (ChannelPair pair = ChannelPair.open()) {
      assertThatThrownBy(() -> pair.peer.writeRaw(new byte[1 << 20], List.of(), brief()))
          .isInstanceOf(DeadlineException.class);
    }
  }

  @Test
  void whatElseGoesWrongIsSaidInTheSystemsWords() throws Exception {
    Path path = directory.resolve("loop");
    Files.createSymbolicLink(path, path);
    assertRefused(path, Recovery.RETRY, "Too many levels of symbolic links");
  }

  @Test
  void aFrontEndThatGoesWithoutReadingIsNoticedToo() throws Exception {
    try (ChannelPair pair = ChannelPair.open()) {
      pair.answer(1, ChannelPair.u64(1));
      pair.channel.close();
      assertThatThrownBy(() -> pair.peer.receive(soon()))
          .isInstanceOf(FrontEndGoneException.class)
          .hasMessage("peer: receiving the header: the front end closed the connection");
    }
  }

  @Test
  void aBackEndClosesTheDescriptorsThatComeInTheMiddleOfAMessage() throws Exception {
    SocketPair sockets = SocketPair.open(ledger, "pair");
    try (BackEndConnection sender = BackEndConnection.adopt(sockets.one(), "a", ledger);
        BackEndConnection receiver = BackEndConnection.adopt(sockets.other(), "b", ledger);
        MemoryFile file = MemoryFile.create(ledger, "stray", 4096)) {
      sender.writeRaw(ChannelPair.words(2, 1), List.of(), soon());
      assertThatThrownBy(() -> receiver.receive(brief())).isInstanceOf(DeadlineException.class);
      sender.writeRaw(ChannelPair.words(0), List.of(file.descriptor()), soon());
      assertThatThrownBy(() -> receiver.receive(soon()))
          .isInstanceOf(ProtocolException.class)
          .hasMessage("b: receiving the header: descriptors in the middle of a message");
      assertThat(ChannelPair.besidesSockets(ledger)).as("only the file's own").hasSize(1);
    }
  }

  @Test
  void aBackEndClosesTheDescriptorsThatAreTooMany() throws Exception {
    SocketPair sockets = SocketPair.open(ledger, "pair");
    try (BackEndConnection sender = BackEndConnection.adopt(sockets.one(), "a", ledger);
        BackEndConnection receiver = BackEndConnection.adopt(sockets.other(), "b", ledger);
        MemoryFile file = MemoryFile.create(ledger, "stray", 4096)) {
      var nine = Collections.nCopies(9, file.descriptor());
      sender.writeRaw(ChannelPair.words(2, 1, 0), nine, soon());
      assertThatThrownBy(() -> receiver.receive(soon()))
          .isInstanceOf(ProtocolException.class)
          .hasMessage("9 descriptors with one message, at most 8");
      assertThat(ChannelPair.besidesSockets(ledger)).as("only the file's own").hasSize(1);
      assertThatThrownBy(() -> sender.writeRaw(new byte[0], nine, soon()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("descriptors need a byte to be sent with");
    }
  }

  @Test
  void aConnectionThatIsClosedTouchesNoOtherDescriptor() throws Exception {
    try (ChannelPair pair = ChannelPair.open()) {
      pair.peer.close();
      assertThat(pair.peer.number()).isEqualTo(-1);
      try (SocketPair others = SocketPair.open(ledger, "others")) { // the numbers that became free
        assertThatThrownBy(() -> pair.peer.receive(soon()))
            .isInstanceOf(FrontEndGoneException.class)
            .hasMessageContaining("EBADF");
        assertThatThrownBy(() -> pair.peer.writeRaw(new byte[1], List.of(), soon()))
            .isInstanceOf(FrontEndGoneException.class)
            .hasRootCauseMessage(
                "peer: send 1 bytes: sendmsg failed with EBADF (not an open descriptor)");
        assertThat(others.one().isOpen()).isTrue();
      }
    }
  }

  @Test
  void aConnectionThatIsClosedAlreadyIsNotUsed() throws Exception {
    SocketPair pair = SocketPair.open(ledger, "of a test");
    AFUNIXSocketChannel closed = AdoptedSocket.of(pair.one(), "net0");
    closed.close();
    assertThatThrownBy(() -> VhostUserChannel.adopt(closed, "net0", Dialect.UPSTREAM, ledger))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("net0: preparing the socket: ")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
    pair.close();
  }
}
