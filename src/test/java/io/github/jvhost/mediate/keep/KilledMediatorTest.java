package io.github.jvhost.mediate.keep;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.FreshJvm;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.process.ChildProcess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * `jvhost keep` in a process, and a program with connections that is killed, again and again, while
 * it changes what it keeps: nothing is lost, and its peer notices nothing.
 */
@Timeout(240)
class KilledMediatorTest {
  private static final int KILLS = 4;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;
  private Path keep;
  private Path peer;

  @BeforeEach
  void makeRoom() throws Exception {
    directory = Files.createTempDirectory("jvhost");
    keep = directory.resolve("keep");
    peer = directory.resolve("peer");
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    Files.deleteIfExists(keep); // its keeper was killed
    Files.deleteIfExists(peer);
    Files.delete(directory);
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(100));
  }

  private static ChildProcess java(String name, Class<?> main, List<String> arguments) {
    return ChildProcess.leashed(name, FreshJvm.command(main, arguments), Map.of());
  }

  private static long printed(ChildProcess child, String before, long from) {
    String until = child.transcript().awaitText(before, from, soon(), "waiting for " + before);
    String after =
        child.transcript().awaitText(".", from + until.length() + before.length(), soon(), before);
    return Long.parseLong(after.strip().replace(before.strip(), "").strip());
  }

  @Test
  void whatItHadIsTakenUpWheneverItIsKilled() throws Exception {
    try (var listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        ChildProcess keeper = java("keeper", Jvhost.class, List.of("keep", keep.toString()))) {
      listening.bind(UnixDomainSocketAddress.of(peer));
      keeper.transcript().awaitText("keeping at", 0, soon(), "start of the keeper");
      long seen = 0;
      for (int i = 0; i < KILLS; i++) {
        try (ChildProcess mediator =
            java("mediator", KilledMediator.class, List.of(keep.toString(), peer.toString()))) {
          assertThat(printed(mediator, "took up ", 0)).isGreaterThanOrEqualTo(seen);
          assertThatThrownBy(() -> KeeperStore.connect(keep, ledger, Duration.ofSeconds(20)))
              .as("while it lives nobody else takes its place")
              .isInstanceOf(VhostException.class)
              .hasMessageContaining("it has a client");
          seen = printed(mediator, "at ", 0);
          mediator.kill();
        }
      }
      try (SocketChannel peersEnd = listening.accept()) {
        useWhatIsLeft(seen, peersEnd);
      }
    }
  }

  private void useWhatIsLeft(long seen, SocketChannel peersEnd) throws Exception {
    try (var store = KeeperStore.connect(keep, ledger, Duration.ofSeconds(20))) {
      Map<String, OwnedDescriptor> left = store.takeUp();
      try (var state = StateFile.adopt(requireNonNull(left.remove(StateFile.NAME)))) {
        long number = KilledMediator.number(state.read().orElseThrow());
        assertThat(number).isGreaterThanOrEqualTo(seen);
        assertThat(left).containsKey(KilledMediator.name(number)).hasSizeBetween(2, 3);
        OwnedDescriptor event = requireNonNull(left.remove(KilledMediator.name(number)));
        try (EventFd same = EventFd.adopt(event)) {
          assertThat(same.drain()).isEqualTo(1);
        }
      }
      OwnedDescriptor connection = requireNonNull(left.remove(KilledMediator.CONNECTION));
      try (var stream =
              new SocketStream(AdoptedSocket.of(connection, "successor"), "successor", ledger);
          Arena arena = Arena.ofConfined()) {
        MemorySegment hello = arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) 42);
        assertThat(stream.write(hello, 0, 1, List.of())).isEqualTo(1);
      }
      ByteBuffer one = ByteBuffer.allocate(1);
      assertThat(peersEnd.read(one)).as("the connection was never closed").isEqualTo(1);
      assertThat(one.get(0)).isEqualTo((byte) 42);
      left.values().forEach(OwnedDescriptor::close);
    }
  }
}
