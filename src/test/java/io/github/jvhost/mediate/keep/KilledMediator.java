package io.github.jvhost.mediate.keep;

import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A program that does with its descriptors what a mediator does, without end: it takes up what its
 * predecessor left, and then puts an eventfd, writes a state that names it, and removes the one
 * before. It has one connection, which the first of these programs makes.
 */
final class KilledMediator {
  static final String CONNECTION = "connection";
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private KilledMediator() {}

  /** The arguments are the sockets of the keeper and of the peer. */
  public static void main(String[] arguments) {
    var ledger = DescriptorLedger.counting();
    try (var store = KeeperStore.connect(Path.of(arguments[0]), ledger, PATIENCE)) {
      Map<String, OwnedDescriptor> left = store.takeUp();
      OwnedDescriptor kept = left.remove(StateFile.NAME);
      StateFile state = kept == null ? StateFile.create(ledger) : StateFile.adopt(kept);
      @Nullable SocketStream connection = null;
      if (kept == null) {
        store.put(StateFile.NAME, state.descriptor());
        connection = connect(Path.of(arguments[1]), store, ledger);
      }
      long number = state.read().map(KilledMediator::number).orElse(0L);
      if (number > 0 && !(left.containsKey(name(number)) && left.containsKey(CONNECTION))) {
        System.out.println("the state names " + name(number) + ", and there is only " + left);
        return;
      }
      for (String name : left.keySet()) {
        if (!name.equals(CONNECTION) && !name.equals(name(number))) {
          store.remove(name);
        }
      }
      System.out.println("took up " + number + ".");
      try {
        goOn(number, store, state, ledger);
      } finally {
        // The library also closes a socket that nobody refers to any more.
        Reference.reachabilityFence(connection);
      }
    }
  }

  /**
   * Connects, and does not close its own end: the socket library shuts a socket down when it closes
   * it, for all who hold a duplicate.
   */
  private static SocketStream connect(Path peer, DescriptorStore store, DescriptorLedger ledger) {
    var socket = Connector.connect(peer, "mediator", "peer", Deadline.after(PATIENCE));
    var stream = new SocketStream(socket, "mediator", ledger);
    try (var own = OwnedDescriptor.duplicateOf(ledger, stream.number(), CONNECTION)) {
      store.put(CONNECTION, own);
    }
    return stream;
  }

  private static void goOn(
      long from, DescriptorStore store, StateFile state, DescriptorLedger ledger) {
    for (long number = from + 1; ; number++) {
      try (EventFd event = EventFd.create(ledger, "event")) {
        event.signal();
        store.put(name(number), event.descriptor());
        state.write(content(number));
        if (number > 1) {
          store.remove(name(number - 1));
        }
      }
      if (number % 50 == 0) {
        System.out.println("at " + number + ".");
      }
    }
  }

  static String name(long number) {
    return "event." + number;
  }

  /** A state from which its number, and that it is whole, can be told. */
  static byte[] content(long number) {
    byte[] bytes = new byte[Long.BYTES + 500 + (int) (number % 5000)];
    Arrays.fill(bytes, (byte) number);
    ByteBuffer.wrap(bytes).putLong(number);
    return bytes;
  }

  static long number(byte[] content) {
    long number = ByteBuffer.wrap(content).getLong();
    if (!Arrays.equals(content, content(number))) {
      throw new IllegalStateException("a state that nobody wrote: " + Arrays.toString(content));
    }
    return number;
  }
}
