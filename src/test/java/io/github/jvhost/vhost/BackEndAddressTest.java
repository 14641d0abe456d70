package io.github.jvhost.vhost;

import static io.github.jvhost.channel.ChannelPair.brief;
import static io.github.jvhost.channel.ChannelPair.openFiles;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Pipe;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.sys.io.SocketPair;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.newsclub.net.unix.AFUNIXDatagramChannel;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.FileDescriptorCast;

/** The three ways to a back end. */
class BackEndAddressTest {
  @TempDir private Path directory;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private long socketsBefore;

  @BeforeEach
  void count() throws Exception {
    // The library opens a socket for itself when it is first used.
    FrontEndListener.listen(directory.resolve("warm")).close();
    socketsBefore = openFiles("socket:");
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(openFiles("socket:")).isEqualTo(socketsBefore);
  }

  private VhostUserChannel connect(BackEndAddress.OfVhostUser where, Deadline deadline) {
    return Carriers.channel(where, "net0", Dialect.UPSTREAM, ledger, deadline);
  }

  private static void roundTrip(VhostUserChannel channel, BackEndConnection backEnd) {
    channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
    channel.flush(soon());
    assertThat(backEnd.receive(soon()).header().request()).isEqualTo(1);
    backEnd.reply(1, 5, u64(9), List.of(), soon());
    assertThat(channel.awaitReply(soon()).payload()).isEqualTo(new U64(9));
  }

  /** With tap%d the kernel would make an interface for each queue. */
  @ParameterizedTest
  @ValueSource(
      strings = {"", "tap%d", "a/b", "a:b", ".", "..", "x y", "0123456789abcdef", "äöüäöüäö"})
  void whatIsNoNameOfAnInterfaceIsRefused(String name) {
    assertThatThrownBy(() -> new BackEndAddress.Tap(name, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("is no name of an interface");
    assertThat(new BackEndAddress.Tap("0123456789abcde", 1).toString())
        .isEqualTo("the tap 0123456789abcde");
  }

  @Test
  void aBackEndConnectsToUsAndAgainAfterItWent() {
    Path path = directory.resolve("fe");
    try (FrontEndListener listener = FrontEndListener.listen(path)) {
      var where = new BackEndAddress.Listening(listener);
      for (int i = 0; i < 2; i++) {
        try (BackEndConnection backEnd = BackEndConnection.connect(path, "be", ledger, soon());
            VhostUserChannel channel = connect(where, soon())) {
          roundTrip(channel, backEnd);
        }
      }
      assertThat(where).hasToString("whoever connects to " + path);
      assertThat(new BackEndAddress.Socket(path)).hasToString(path.toString());
    }
    assertThat(path).doesNotExist();
  }

  @Test
  void aBackEndThatDoesNotConnectEndsAtTheDeadline() {
    Path path = directory.resolve("fe");
    try (FrontEndListener listener = FrontEndListener.listen(path)) {
      assertThatThrownBy(() -> connect(new BackEndAddress.Listening(listener), brief()))
          .isInstanceOf(DeadlineException.class)
          .hasMessage(
              "net0: waiting for a back end to connect to " + path + ": none came within 20 ms");
    }
  }

  @Test
  void aListenerThatIsClosedIsSaid() {
    FrontEndListener listener = FrontEndListener.listen(directory.resolve("fe"));
    listener.close();
    listener.close();
    assertThatThrownBy(() -> connect(new BackEndAddress.Listening(listener), soon()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("it is closed");
  }

  @Test
  void aSocketFileOfADeadListenerIsReplaced() throws Exception {
    Path path = directory.resolve("fe");
    try (AFUNIXServerSocketChannel dead = AFUNIXServerSocketChannel.open()) {
      dead.bind(AFUNIXSocketAddress.of(path), 1);
      dead.setDeleteOnClose(false);
    }
    assertThat(path).exists();
    try (FrontEndListener listener = FrontEndListener.listen(path);
        BackEndConnection backEnd = BackEndConnection.connect(path, "be", ledger, soon());
        VhostUserChannel channel = connect(new BackEndAddress.Listening(listener), soon())) {
      roundTrip(channel, backEnd);
    }
  }

  @Test
  void aSocketThatSomebodyAnswersOnIsNot() {
    Path path = directory.resolve("fe");
    try (FrontEndListener _ = FrontEndListener.listen(path)) {
      assertThatThrownBy(() -> FrontEndListener.listen(path))
          .isInstanceOf(VhostException.class)
          .hasMessage("listening on " + path + ": somebody listens there already");
      assertThat(path).exists();
    }
  }

  @Test
  void aFileThatIsNoSocketIsNotEither() throws Exception {
    Path path = Files.writeString(directory.resolve("fe"), "precious");
    assertThatThrownBy(() -> FrontEndListener.listen(path))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("there is a file, and it is no socket")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
    assertThat(path).hasContent("precious");
  }

  @Test
  void aConnectionThatWasHandedOverIsUsedOnce() {
    SocketPair pair = SocketPair.open(ledger, "of a test");
    OwnedDescriptor given = pair.one();
    var where = new BackEndAddress.Connected(given);
    try (BackEndConnection backEnd = BackEndConnection.adopt(pair.other(), "be", ledger);
        VhostUserChannel channel = connect(where, soon())) {
      assertThat(given.isOpen()).as("taken over").isFalse();
      roundTrip(channel, backEnd);
    }
    assertThat(where).hasToString("the given socket of a test #1");
    assertThatThrownBy(() -> connect(where, soon()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("it was used before")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
  }

  @Test
  void aHandedOverConnectionWhoseBackEndIsGoneIsClosedOnce() {
    SocketPair pair = SocketPair.open(ledger, "of a test");
    pair.other().close();
    try (VhostUserChannel channel = connect(new BackEndAddress.Connected(pair.one()), soon())) {
      channel.send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false, soon());
      assertThatThrownBy(() -> channel.awaitReply(soon())).isInstanceOf(BackEndGoneException.class);
    }
  }

  @Test
  void whatIsNoConnectedSocketIsRefusedAndClosed() {
    try (Pipe pipe = Pipe.open(ledger, "t");
        MemoryFile file = MemoryFile.create(ledger, "t", 4096)) {
      for (OwnedDescriptor wrong : List.of(pipe.readEnd(), file.descriptor())) {
        assertThatThrownBy(() -> connect(new BackEndAddress.Connected(wrong), soon()))
            .isInstanceOf(VhostException.class)
            .hasMessageContaining("net0: taking over ")
            .extracting(e -> ((VhostException) e).recovery())
            .isEqualTo(Recovery.GIVE_UP);
        assertThat(wrong.isOpen()).isFalse();
      }
    }
  }

  @Test
  void aListenerIsNotConnectedAndRefused() {
    try (FrontEndListener listener = FrontEndListener.listen(directory.resolve("fe"))) {
      OwnedDescriptor copy = OwnedDescriptor.duplicateOf(ledger, listener.number(), "listener");
      assertThatThrownBy(() -> connect(new BackEndAddress.Connected(copy), soon()))
          .isInstanceOf(VhostException.class)
          .hasMessageStartingWith("net0: taking over listener")
          .hasMessageEndingWith("it is not connected");
      assertThat(copy.isOpen()).isFalse();
    }
  }

  @Test
  void aNamedPipeIsNoSocketEither() throws Exception {
    Path path = directory.resolve("fifo");
    assertThat(new ProcessBuilder("mkfifo", path.toString()).start().waitFor()).isZero();
    assertThatThrownBy(() -> FrontEndListener.listen(path))
        .isInstanceOf(VhostException.class)
        .hasMessage("listening on " + path + ": there is a file, and it is no socket");
    assertThat(path).exists();
  }

  @Test
  void aSocketOfAnotherKindIsNotReplaced() throws Exception {
    Path path = directory.resolve("datagrams");
    try (var socket = AFUNIXDatagramChannel.open()) {
      socket.bind(AFUNIXSocketAddress.of(path));
      assertThatThrownBy(() -> FrontEndListener.listen(path))
          .isInstanceOf(VhostException.class)
          .hasMessage("listening on " + path + ": somebody listens there already")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.GIVE_UP);
      assertThat(path).exists();
    }
  }

  @Test
  void aPollSeesABackEndBeforeAnybodyWaitsForIt() {
    Path path = directory.resolve("fe");
    try (FrontEndListener listener = FrontEndListener.listen(path);
        Poller poller = new Poller(1)) {
      int index = poller.add(listener.number(), Poller.IN);
      assertThat(poller.await(0)).as("nobody yet").isZero();
      try (BackEndConnection backEnd = BackEndConnection.connect(path, "be", ledger, soon())) {
        poller.await(soon().remainingNanos());
        assertThat(poller.ready(index)).isEqualTo(Poller.IN);
        try (VhostUserChannel channel = connect(new BackEndAddress.Listening(listener), brief())) {
          roundTrip(channel, backEnd);
        }
      }
    }
  }

  /** Somebody else put a folder where the socket file was. */
  @Test
  void whatTheListenerCannotRemoveIsNamedAndNoDescriptorStays() throws Exception {
    Path path = directory.resolve("fe");
    FrontEndListener listener = FrontEndListener.listen(path);
    Files.delete(path);
    Files.createDirectories(path.resolve("precious"));
    assertThatThrownBy(listener::close)
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("removing " + path + ": ")
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
    assertThat(path.resolve("precious")).exists();
    listener.close();
  }

  @Test
  void whatDoesNotListenIsRefusedAsAListener() {
    Path name = Path.of("handed over");
    SocketPair pair = SocketPair.open(ledger, "of a test");
    try (Pipe pipe = Pipe.open(ledger, "t")) {
      OwnedDescriptor end = pipe.readEnd();
      assertThatThrownBy(() -> BackEndListener.adopt(end, name, ledger))
          .isInstanceOf(VhostException.class)
          .hasMessageStartingWith("handed over: taking over ")
          .hasMessageEndingWith("it is no stream socket of the AF_UNIX family");
      assertThatThrownBy(() -> BackEndListener.adopt(end, name, ledger))
          .isInstanceOf(VhostException.class)
          .hasMessageEndingWith("it was used before");
    }
    assertThatThrownBy(() -> BackEndListener.adopt(pair.one(), name, ledger))
        .as("a connection")
        .isInstanceOf(VhostException.class)
        .hasMessageEndingWith("it is no stream socket of the AF_UNIX family");
    pair.close();
  }

  @Test
  void aHandedOverListenerThatItsOwnerShutsDownIsSaid() throws Exception {
    Path path = directory.resolve("be");
    AFUNIXServerSocketChannel owner = AFUNIXServerSocketChannel.open();
    owner.bind(AFUNIXSocketAddress.of(path), 1);
    int number = FileDescriptorCast.using(owner.getFileDescriptor()).as(Integer.class);
    OwnedDescriptor handed = OwnedDescriptor.duplicateOf(ledger, number, "listening socket");
    try (BackEndListener listener = BackEndListener.adopt(handed, path, ledger)) {
      owner.close();
      assertThatThrownBy(() -> listener.accept(soon()))
          .isInstanceOf(VhostException.class)
          .hasMessageStartingWith("accepting on " + path + ": ")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.GIVE_UP);
    }
  }
}
