package io.github.jvhost.mediate.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OpenDescriptors;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class PeerLinkTest {
  private static final long MILLIS = 1_000_000;

  /** Short pauses, and a peer that may be silent for as long as a test runs. */
  private static final LinkLimits PATIENT =
      new LinkLimits(
          50 * MILLIS, 60_000 * MILLIS, MILLIS, 20 * MILLIS, 1_000 * MILLIS, 1_000_000, 1 << 30);

  /** A peer that says nothing is dead after a short time. */
  private static final LinkLimits IMPATIENT =
      new LinkLimits(
          20 * MILLIS, 300 * MILLIS, MILLIS, 20 * MILLIS, 1_000 * MILLIS, 1_000_000, 1 << 30);

  /** Ten lines or 100 KiB in an hour. */
  private static final LinkLimits SLOW =
      new LinkLimits(
          50 * MILLIS, 60_000 * MILLIS, MILLIS, 20 * MILLIS, 3_600_000 * MILLIS, 10, 100 << 10);

  @TempDir Path directory;
  private Path path;
  private int open;

  /** The JDK opens a socket for itself at its first use of sockets, and keeps it. */
  @BeforeAll
  static void openWhatTheJdkKeeps() throws IOException {
    ServerSocketChannel.open().close();
    SocketChannel.open().close();
  }

  @BeforeEach
  void count() {
    path = directory.resolve("peer");
    open = OpenDescriptors.count();
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(OpenDescriptors.count()).as("%s", OpenDescriptors.list()).isLessThanOrEqualTo(open);
    assertThat(path).doesNotExist();
  }

  private PeerAddress listens() {
    return PeerAddress.parse("listen:" + path);
  }

  private PeerAddress connects() {
    return PeerAddress.parse(path.toString());
  }

  private RawPeer raw() throws IOException {
    return RawPeer.connect(UnixDomainSocketAddress.of(path));
  }

  private static Hint hint(String nic, long generation) {
    var random = new SplittableRandom(generation);
    return Hint.configuration(nic, generation, RandomHints.content(random, 2, 4));
  }

  @ParameterizedTest
  @ValueSource(strings = {"PATH", "tcp:127.0.0.1:0", "tcp:[::1]:0"})
  void hintsGoBothWays(String place) throws Exception {
    if (place.contains("[") && !hasV6()) {
      return;
    }
    var a = new LinkListener();
    var b = new LinkListener();
    String where = place.equals("PATH") ? path.toString() : place;
    try (PeerLink server =
        PeerLink.open(PeerAddress.parse("listen:" + where), a, PATIENT).begin()) {
      server.publish(hint("before", 1));
      try (PeerLink client =
          PeerLink.open(new PeerAddress(false, server.address().place()), b, PATIENT).begin()) {
        assertThat(a.next()).isEqualTo(LinkListener.CONNECTED);
        assertThat(b.next()).isEqualTo(LinkListener.CONNECTED);
        assertThat(b.next()).isEqualTo(hint("before", 1));
        client.publish(hint("net0", 2));
        assertThat(a.next()).isEqualTo(hint("net0", 2));
        server.publish(Hint.cancelled("before", 3));
        assertThat(b.next()).isEqualTo(Hint.cancelled("before", 3));
        assertThat(server.isConnected()).isTrue();
      }
      assertThat((String) a.next()).startsWith("lost: ");
    }
  }

  private static boolean hasV6() {
    try (var server = ServerSocketChannel.open()) {
      server.bind(PeerAddress.parse("listen:tcp:[::1]:0").socketAddress());
      return true;
    } catch (IOException _) {
      return false;
    }
  }

  @Test
  void whoeverComesBackGetsTheNewestHintOfEachNicAndNoOther() throws Exception {
    var listener = new LinkListener();
    try (PeerLink link = PeerLink.open(listens(), listener, PATIENT).begin()) {
      for (int generation = 1; generation <= 100; generation++) {
        link.publish(hint("net0", generation));
        link.publish(hint("net1", generation));
      }
      link.publish(Hint.gone("net1", 101));
      for (int round = 0; round < 3; round++) {
        try (RawPeer peer = raw()) {
          peer.greet();
          assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
          assertThat(peer.hint()).isEqualTo(hint("net0", 100));
          assertThat(peer.hint()).isEqualTo(Hint.gone("net1", 101));
        }
        assertThat((String) listener.next()).startsWith("lost: ");
      }
    }
  }

  @Test
  void aPeerThatReadsSlowlyMissesOnlyWhatIsOutOfDate() throws Exception {
    var listener = new LinkListener();
    try (PeerLink link = PeerLink.open(listens(), listener, PATIENT).begin();
        RawPeer peer = raw()) {
      peer.greet();
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      int last = 20_000; // some MiB, more than two sockets hold
      for (int generation = 1; generation <= last; generation++) {
        link.publish(hint("net0", generation));
      }
      int lines = 0;
      long generation = 0;
      while (generation < last) {
        long next = peer.hint().generation();
        assertThat(next).isGreaterThan(generation);
        generation = next;
        lines++;
      }
      assertThat(lines).isLessThan(last);
    }
  }

  @Test
  void theSideThatConnectsComesBackForEver() throws Exception {
    var listener = new LinkListener();
    try (PeerLink link = PeerLink.open(connects(), listener, PATIENT).begin()) {
      link.publish(hint("net0", 7));
      for (int round = 0; round < 5; round++) {
        try (ServerSocketChannel server = RawPeer.listen(path)) {
          try (RawPeer peer = RawPeer.accept(server)) {
            peer.greet();
            assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
            assertThat(peer.hint()).isEqualTo(hint("net0", 7));
          }
        } finally {
          Files.delete(path);
        }
        assertThat((String) listener.next()).startsWith("lost: ");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/1.1\r\n",
        "{\"version\":2}\n",
        "\n",
        "{\"version\":1,\"what\":\"gone\",\"nic\":\"../x\",\"generation\":1}\n"
      })
  void aPeerThatSendsRubbishIsHungUpOnAndTheNextIsServed(String rubbish) throws Exception {
    var listener = new LinkListener();
    try (PeerLink link = PeerLink.open(listens(), listener, PATIENT).begin()) {
      try (RawPeer peer = raw()) {
        peer.send(rubbish);
        assertThat(peer.line()).isEmpty();
      }
      try (RawPeer peer = raw()) {
        peer.greet();
        assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
        peer.send(rubbish);
        assertThat((String) listener.next())
            .startsWith("lost: the peer sent what it must not send: a hint about a NIC is refused");
      }
      assertThat(link.isConnected()).isFalse();
    }
  }

  @Test
  void aLineWithoutAnEndIsNotKept() throws Exception {
    var listener = new LinkListener();
    try (PeerLink _ = PeerLink.open(listens(), listener, PATIENT).begin();
        RawPeer peer = raw()) {
      peer.greet();
      peer.sendUntilRefused(new byte[Hint.MOST_BYTES], 100);
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      assertThat(listener.next()).isEqualTo("lost: the peer sent a line of more than 65536 bytes");
    }
  }

  @Test
  void theLongestLineAndOnePieceByPieceAreWhole() throws Exception {
    var listener = new LinkListener();
    try (PeerLink _ = PeerLink.open(listens(), listener, PATIENT).begin();
        RawPeer peer = raw()) {
      Hint hint = hint("net0", 5);
      byte[] line = hint.encoded();
      byte[] longest = new byte[Hint.MOST_BYTES];
      Arrays.fill(longest, (byte) ' ');
      System.arraycopy(line, 0, longest, 0, line.length - 1);
      longest[longest.length - 1] = '\n';
      peer.send(longest);
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      assertThat(listener.next()).isEqualTo(hint);
      for (byte one : line) {
        peer.send(new byte[] {one});
      }
      assertThat(listener.next()).isEqualTo(hint);
    }
  }

  @Test
  void aFloodOfLinesEndsTheConnection() throws Exception {
    var listener = new LinkListener();
    try (PeerLink _ = PeerLink.open(listens(), listener, SLOW).begin();
        RawPeer peer = raw()) {
      peer.sendUntilRefused(Hint.gone("net0", 1).encoded(), 11);
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      for (int i = 0; i < 10; i++) {
        assertThat(listener.next()).isEqualTo(Hint.gone("net0", 1));
      }
      assertThat((String) listener.next()).startsWith("lost: the peer sent more than 10 lines");
    }
  }

  @Test
  void aFloodOfBytesEndsTheConnection() throws Exception {
    var listener = new LinkListener();
    byte[] line = new byte[40 << 10];
    Arrays.fill(line, (byte) ' ');
    byte[] hint = Hint.gone("net0", 1).encoded();
    System.arraycopy(hint, 0, line, line.length - hint.length, hint.length);
    try (PeerLink _ = PeerLink.open(listens(), listener, SLOW).begin();
        RawPeer peer = raw()) {
      peer.sendUntilRefused(line, 3);
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      Object told = listener.next();
      while (told instanceof Hint) {
        told = listener.next();
      }
      assertThat((String) told)
          .startsWith("lost: the peer sent more than 10 lines or 102400 bytes");
    }
  }

  @Test
  void aPeerThatStopsInTheMiddleOfALineIsDead() throws Exception {
    var listener = new LinkListener();
    try (PeerLink _ = PeerLink.open(listens(), listener, IMPATIENT).begin();
        RawPeer peer = raw()) {
      peer.greet();
      peer.send("{\"version\":1,");
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      assertThat(listener.next()).isEqualTo("lost: the peer sent no whole line for 300 ms");
      try (RawPeer next = raw()) {
        next.greet();
        assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      }
    }
  }

  @Test
  void aPeerThatLivesAndNeverReadsIsDead() throws Exception {
    var limits =
        new LinkLimits(
            20 * MILLIS, 1_000 * MILLIS, MILLIS, 20 * MILLIS, 1_000 * MILLIS, 1_000_000, 1 << 30);
    var listener = new LinkListener();
    try (PeerLink link = PeerLink.open(listens(), listener, limits).begin();
        RawPeer peer = raw()) {
      peer.greet();
      assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
      Object told = null;
      for (int generation = 1; told == null; generation++) {
        for (int nic = 0; nic < 500; nic++) {
          link.publish(hint("net" + nic, generation));
        }
        peer.sendUntilRefused(HintJson.alive(), 1);
        told = listener.nextSoon();
      }
      assertThat(told).isEqualTo("lost: the peer read nothing for 1000 ms");
    }
  }

  @Test
  void signsOfLifeAreSentUnasked() throws Exception {
    try (PeerLink _ = PeerLink.open(listens(), new LinkListener(), PATIENT).begin();
        RawPeer peer = raw()) {
      for (int i = 0; i < 4; i++) {
        assertThat(peer.isGreeted()).isTrue();
      }
    }
  }

  @Test
  void oneServesOnePeer() throws Exception {
    var listener = new LinkListener();
    try (PeerLink link = PeerLink.open(listens(), listener, PATIENT).begin()) {
      link.publish(hint("net0", 1));
      try (RawPeer first = raw()) {
        first.greet();
        assertThat(listener.next()).isEqualTo(LinkListener.CONNECTED);
        assertThat(first.hint()).isEqualTo(hint("net0", 1));
        try (RawPeer second = raw()) {
          assertThat(second.line()).isEmpty();
        }
        first.send(Hint.gone("net1", 1).encoded());
        assertThat(listener.next()).isEqualTo(Hint.gone("net1", 1));
      }
      assertThat((String) listener.next()).startsWith("lost: ");
      try (RawPeer second = raw()) {
        assertThat(second.hint()).isEqualTo(hint("net0", 1));
      }
    }
  }

  @Test
  void theSocketIsItsOwnersAloneAndReplacesADeadOne() throws Exception {
    RawPeer.listen(path).close(); // its file stays
    assertThat(path).exists();
    try (PeerLink _ = PeerLink.open(listens(), new LinkListener(), PATIENT).begin()) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
          .isEqualTo("rw-------");
      assertThatThrownBy(() -> PeerLink.open(listens(), new LinkListener(), PATIENT))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("somebody listens there already");
      assertThat(path).exists();
    }
  }

  @Test
  void aListenerThatFailsHarmsNobody() throws Exception {
    var told = new LinkListener();
    var failing =
        new PeerLink.Listener() {
          @Override
          public void connected() {
            told.connected();
            throw new IllegalStateException("on purpose");
          }

          @Override
          public void received(Hint hint) {
            told.received(hint);
            throw new IllegalStateException("on purpose");
          }

          @Override
          public void lost(String reason) {
            told.lost(reason);
            throw new IllegalStateException("on purpose");
          }
        };
    try (PeerLink _ = PeerLink.open(listens(), failing, PATIENT).begin()) {
      for (int round = 0; round < 2; round++) {
        try (RawPeer peer = raw()) {
          peer.send(Hint.gone("net0", 1).encoded());
          assertThat(told.next()).isEqualTo(LinkListener.CONNECTED);
          assertThat(told.next()).isEqualTo(Hint.gone("net0", 1));
        }
        assertThat((String) told.next()).startsWith("lost: ");
      }
    }
  }

  /**
   * The default pause is up to five seconds; a test that waited for it would end by its timeout.
   */
  @Test
  @Timeout(4)
  void itClosesWhileItConnectsPausesAndListens() throws Exception {
    for (int round = 0; round < 3; round++) {
      PeerLink.open(connects(), new LinkListener()).close();
      PeerLink.open(listens(), new LinkListener()).close();
    }
    PeerLink.open(PeerAddress.parse("tcp:127.0.0.1:1"), new LinkListener()).close();
    try (ServerSocketChannel server = RawPeer.listen(path);
        PeerLink _ = PeerLink.open(connects(), new LinkListener()).begin();
        RawPeer peer = RawPeer.accept(server)) {
      peer.send("{\"vers");
    } finally {
      Files.delete(path);
    }
  }

  @Test
  void aListenerMayPublishAndClose() throws Exception {
    var told = new LinkListener();
    var done = new CountDownLatch(1);
    PeerLink[] link = new PeerLink[1];
    var closing =
        new PeerLink.Listener() {
          @Override
          public void connected() {
            told.connected();
          }

          @Override
          public void received(Hint hint) {
            link[0].publish(hint);
            if (hint.what() == Hint.What.GONE) {
              link[0].close();
              done.countDown();
            }
          }

          @Override
          public void lost(String reason) {
            told.lost(reason);
          }
        };
    link[0] = PeerLink.open(listens(), closing, PATIENT).begin();
    try (RawPeer peer = raw()) {
      peer.send(Hint.cancelled("net0", 1).encoded());
      assertThat(peer.hint()).isEqualTo(Hint.cancelled("net0", 1));
      peer.send(Hint.gone("net0", 2).encoded());
      assertThat(done.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(peer.line()).isEmpty();
    }
    link[0].close();
    assertThat(told.next()).isEqualTo(LinkListener.CONNECTED);
    assertThat(told.nextIfAny()).as("closed on this side").isNull();
  }
}
