package io.github.jvhost.channel.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.SocketPair;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a session says of what went wrong, without the thread around it. */
@Timeout(60)
class RelaySessionTest {
  private static final int EMFILE = 24;
  private static final int NO_WAKE_UP = -1;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final MemorySegment bytes = Arena.ofAuto().allocate(Header.SIZE);

  /** Is not asked. */
  private record Nobody() implements RelayDirection.Checkpoint {
    @Override
    public void before(int request, int flags, List<OwnedDescriptor> descriptors) {}

    @Override
    public void after(long arrived, long passed, boolean raw, byte[] bytes, int descriptors) {}
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private void header(FrontEndRequest request) {
    Header.encode(
        Unpooled.wrappedBuffer(bytes.asByteBuffer()).clear(),
        request.fixedId().orElseThrow(),
        1,
        0);
  }

  private static SocketPair none() {
    throw new SystemCallException("create a socket", "socketpair", EMFILE);
  }

  @Test
  void aChannelThatCannotBeWatchedIsMentioned() {
    Supplier<SocketPair> pairs = RelaySessionTest::none;
    List<OwnedDescriptor> arrived = new ArrayList<>();
    SocketPair one = SocketPair.open(ledger, "front");
    SocketPair other = SocketPair.open(ledger, "back");
    try (MemoryFile file = MemoryFile.create(ledger, "a channel", 4096);
        RelayEnd front = RelayEnd.of(one.one(), "front", ledger);
        RelayEnd back = RelayEnd.of(other.one(), "back", ledger);
        var session =
            new RelaySession(
                1,
                RelayEnd.of(one.other(), "the front end", ledger),
                RelayEnd.of(other.other(), "the back end", ledger),
                ledger,
                _ -> {},
                pairs)) {
      header(FrontEndRequest.SET_BACKEND_REQ_FD);
      front.send(bytes, 0, Header.SIZE, List.of(file.descriptor()));
      assertThat(session.turn(NO_WAKE_UP)).isEmpty();
      assertThat(back.receive(bytes, 0, Header.SIZE, arrived)).isEqualTo(Header.SIZE);
      assertThat(arrived).as("it goes on all the same").hasSize(1);
      one.one().close();

      assertThat(session.run(NO_WAKE_UP, () -> false))
          .startsWith("the front end closed the connection; ")
          .contains("the back end's own channel was not watched", "EMFILE");
    } finally {
      arrived.forEach(OwnedDescriptor::close);
    }
  }

  private String whyNot(RelayEnd to) {
    SocketPair pair = SocketPair.open(ledger, "front");
    try (RelayEnd front = RelayEnd.of(pair.one(), "front", ledger);
        RelayEnd from = RelayEnd.of(pair.other(), "the front end", ledger)) {
      header(FrontEndRequest.GET_FEATURES);
      front.send(bytes, 0, Header.SIZE, List.of());
      var direction = new RelayDirection(from, to, new Nobody());

      assertThat(direction.move()).isEqualTo(RelayDirection.State.OVER);
      return direction.why();
    }
  }

  @Test
  void onlyASideThatIsGoneIsSaidToHaveClosed() {
    SocketPair pair = SocketPair.open(ledger, "back");
    pair.other().close();
    try (RelayEnd gone = RelayEnd.of(pair.one(), "the back end", ledger)) {
      assertThat(whyNot(gone)).isEqualTo("the back end closed the connection");
    }
    MemoryFile file = MemoryFile.create(ledger, "no socket", 4096);
    try (RelayEnd none = RelayEnd.of(file.descriptor(), "the back end", ledger)) {
      assertThat(whyNot(none))
          .isEqualTo("the back end: send 12 bytes: sendmsg failed with ENOTSOCK (not a socket)");
    }
  }

  @Test
  void anObserverThatDoesNotReturnIsSaidAndTheCloseCanBeTriedAgain(@TempDir Path directory)
      throws Exception {
    var there = new CountDownLatch(1);
    var go = new CountDownLatch(1);
    RelayObserver held =
        new RelayObserver() {
          @Override
          public void connected(int session, long nanos) {}

          @Override
          public void passed(RelayedMessage message) {}

          @Override
          public void ended(int session, long nanos, String why) {
            there.countDown();
            try {
              assertThat(go.await(20, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
          }
        };
    Relay relay = Relay.start(directory.resolve("front"), directory.resolve("back"), ledger, held);
    try (var _ = SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("front")))) {
      assertThat(there.await(20, TimeUnit.SECONDS)).isTrue();
      assertThatThrownBy(() -> relay.close(Deadline.in(20, TimeUnit.MILLISECONDS)))
          .isInstanceOf(VhostException.class)
          .hasMessage("closing the relay: its observer does not return");
    } finally {
      go.countDown();
      relay.close();
    }
    assertThat(relay.isAlive()).isFalse();
  }

  /** With its header and again with its payload, which one write cannot do. */
  @Test
  void aMessageWithMoreDescriptorsThanOneMayCarryEndsIt() {
    SocketPair one = SocketPair.open(ledger, "front");
    SocketPair other = SocketPair.open(ledger, "back");
    try (MemoryFile file = MemoryFile.create(ledger, "a file", 4096);
        RelayEnd front = RelayEnd.of(one.one(), "front", ledger);
        RelayEnd from = RelayEnd.of(one.other(), "the front end", ledger);
        RelayEnd to = RelayEnd.of(other.one(), "the back end", ledger);
        var _ = other.other()) {
      var direction = new RelayDirection(from, to, new Nobody());
      List<OwnedDescriptor> half = Collections.nCopies(130, file.descriptor());
      Header.encode(Unpooled.wrappedBuffer(bytes.asByteBuffer()).clear(), 5, 1, 8);
      front.send(bytes, 0, Header.SIZE, half);
      assertThat(direction.move()).isEqualTo(RelayDirection.State.READING);
      front.send(bytes, 0, 8, half);

      assertThat(direction.move()).isEqualTo(RelayDirection.State.OVER);
      assertThat(direction.why()).isEqualTo("the front end sent 260 descriptors with one message");
    }
  }
}
