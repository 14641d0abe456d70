package io.github.jvhost.channel.backend;

import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.SocketPair;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Passes messages on between sockets of its own, so that the code is compiled before the first
 * front end connects. Code that is not compiled delays a message by milliseconds. The first front
 * end of a relay is often the only one.
 */
final class RelayRehearsal {
  private static final int MESSAGES = 3_000;
  private static final int WITH_DESCRIPTOR = 8;
  private static final Duration LONGEST = Duration.ofMillis(500);
  private static final int NO_WAKE_UP = -1;

  private final MemorySegment message = Arena.ofAuto().allocate(Header.SIZE + 8);
  private final List<OwnedDescriptor> arrived = new ArrayList<>();
  private int passed;

  private RelayRehearsal() {
    Header.encode(Unpooled.wrappedBuffer(message.asByteBuffer()).clear(), 1, 1, 8);
  }

  /** Rehearses for at most half a second. */
  static void run(DescriptorLedger ledger) {
    Deadline end = Deadline.after(LONGEST);
    var rehearsal = new RelayRehearsal();
    try (SocketPair one = SocketPair.open(ledger, "rehearsed front end");
        SocketPair other = SocketPair.open(ledger, "rehearsed back end");
        RelayEnd front = RelayEnd.of(one.one(), "the front end", ledger);
        RelayEnd back = RelayEnd.of(other.one(), "the back end", ledger);
        RelaySession session =
            new RelaySession(
                0,
                RelayEnd.of(one.other(), "the front end", ledger),
                RelayEnd.of(other.other(), "the back end", ledger),
                ledger,
                _ -> rehearsal.passed++)) {
      while (rehearsal.passed < MESSAGES && !end.expired()) {
        boolean with = rehearsal.passed % WITH_DESCRIPTOR == 0;
        rehearsal.pass(front, session, back, with ? List.of(one.one()) : List.of());
        rehearsal.pass(back, session, front, List.of());
      }
    }
  }

  private void pass(
      RelayEnd from, RelaySession session, RelayEnd to, List<OwnedDescriptor> descriptors) {
    int length = (int) message.byteSize();
    from.send(message, 0, length, descriptors);
    session.turn(NO_WAKE_UP);
    to.receive(message, 0, length, arrived);
    arrived.forEach(OwnedDescriptor::close);
    arrived.clear();
  }
}
