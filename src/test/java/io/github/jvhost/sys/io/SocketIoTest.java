package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OpenDescriptors;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Bytes and descriptors through sendmsg and recvmsg. */
class SocketIoTest {
  private static final int PIECE = 4096;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final MemorySegment bytes = Arena.ofAuto().allocate(1 << 16);
  private final SocketIo io = new SocketIo("test");
  private SocketPair pair;
  private int filesBefore;

  @BeforeEach
  void open() {
    filesBefore = OpenDescriptors.count();
    pair = SocketPair.open(ledger, "pair");
  }

  @AfterEach
  void nothingIsLeft() {
    pair.close();
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(OpenDescriptors.count()).isLessThanOrEqualTo(filesBefore);
  }

  private int send(int length, List<OwnedDescriptor> descriptors) {
    return io.send(pair.one().number(), bytes, 0, length, descriptors);
  }

  private int receive(int length, List<OwnedDescriptor> arrived) {
    return io.receive(pair.other().number(), bytes, 0, length, ledger, arrived);
  }

  @Test
  void whatFindsNoRoomHasNotLeftAndItsDescriptorsCanBeSentAgain() {
    try (EventFd event = EventFd.create(ledger, "event")) {
      int plain = 0;
      for (int taken = 0; taken >= 0; taken = send(PIECE, List.of())) {
        plain += taken;
      }
      List<OwnedDescriptor> fds = List.of(event.descriptor());
      assertThat(send(12, fds)).isEqualTo(SocketIo.WOULD_BLOCK);
      assertThat(send(12, fds)).isEqualTo(SocketIo.WOULD_BLOCK);

      List<OwnedDescriptor> arrived = new ArrayList<>();
      for (int left = plain; left > 0; ) {
        left -= receive(Math.min(left, 1 << 16), arrived);
      }
      assertThat(arrived).isEmpty();
      assertThat(send(12, fds)).isEqualTo(12);
      assertThat(receive(12, arrived)).isEqualTo(12);
      assertThat(arrived).hasSize(1);
      arrived.forEach(OwnedDescriptor::close);
      assertThat(receive(12, arrived)).isEqualTo(SocketIo.WOULD_BLOCK);
    }
  }

  @Test
  void asManyDescriptorsAsTheKernelTakesArriveCloseOnExec() {
    try (EventFd event = EventFd.create(ledger, "event")) {
      List<OwnedDescriptor> arrived = new ArrayList<>();
      assertThat(send(1, Collections.nCopies(SocketIo.MOST_DESCRIPTORS, event.descriptor())))
          .isEqualTo(1);
      assertThat(receive(10, arrived)).isEqualTo(1);
      assertThat(arrived).hasSize(SocketIo.MOST_DESCRIPTORS);
      assertThat(arrived)
          .allSatisfy(one ->
              assertThat(Linux.fcntl(one.number(), 1, 0))
                  .as("F_GETFD")
                  .isEqualTo(Linux.FD_CLOEXEC));
      arrived.forEach(OwnedDescriptor::close);
    }
    assertThatThrownBy(() -> send(1, Collections.nCopies(254, pair.one())))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void theEndOfTheStreamAndAPeerThatIsGoneAreTold() {
    pair.other().close();
    assertThatThrownBy(() -> send(1, List.of()))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("EPIPE");
    assertThat(io.receive(pair.one().number(), bytes, 0, 1, ledger, new ArrayList<>())).isZero();
  }

  @Test
  void whatWasNotExpectedAndFailsIsTheEndOfTheStreamForTheNextCall() {
    List<OwnedDescriptor> arrived = new ArrayList<>();
    int socket = pair.one().number();
    assertThat(send(1, List.of())).isEqualTo(1);
    pair.other().close(); // with a byte unread, which resets the connection

    assertThat(io.receiveIfAny(socket, bytes, 0, 1, ledger, arrived))
        .isEqualTo(SocketIo.WOULD_BLOCK);
    assertThat(io.receive(socket, bytes, 0, 1, ledger, arrived)).isZero();
  }

  @Test
  void piecesOutsideOfTheMemoryAreRefused() {
    assertThatThrownBy(() -> io.send(pair.one().number(), bytes, 1 << 16, 1, List.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> send(0, List.of())).isInstanceOf(IllegalArgumentException.class);
    MemorySegment heap = MemorySegment.ofArray(new byte[8]);
    assertThatThrownBy(() -> io.send(pair.one().number(), heap, 0, 1, List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void sendingAndReceivingBytesAllocatesNothing() {
    try (EventFd event = EventFd.create(ledger, "event")) {
      List<OwnedDescriptor> fds = List.of(event.descriptor());
      List<OwnedDescriptor> arrived = new ArrayList<>();
      var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long here = Thread.currentThread().threadId();
      long least = Long.MAX_VALUE;
      // What is compiled while it runs may count once; a call that allocates does so every time.
      for (int round = 0; round < 400; round++) {
        long before = threads.getThreadAllocatedBytes(here);
        for (int i = 0; i < 100; i++) {
          send(20, List.of());
          receive(20, arrived);
        }
        for (int i = 0; i < 100; i++) {
          send(20, fds);
        }
        least = Math.min(least, threads.getThreadAllocatedBytes(here) - before);
        while (receive(20, arrived) > 0) {
          arrived.forEach(OwnedDescriptor::close);
          arrived.clear();
        }
      }
      assertThat(least).isZero();
    }
  }
}
