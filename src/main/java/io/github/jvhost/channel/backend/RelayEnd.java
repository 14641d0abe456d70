package io.github.jvhost.channel.backend;

import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.SocketIo;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * One socket that a relay reads and writes. Unlike a {@link SocketStream} it takes as many
 * descriptors as the kernel delivers, because only the peers can check them.
 *
 * <p>It owns the socket. One thread at a time; nothing here waits.
 */
final class RelayEnd implements AutoCloseable {
  private static final int CLOSED = -1;

  private final String name;
  private final Runnable closing;
  private final SocketIo io;
  private final DescriptorLedger ledger;
  private int number;

  private RelayEnd(String name, Runnable closing, int number, DescriptorLedger ledger) {
    this.name = name;
    this.closing = closing;
    this.number = number;
    this.io = new SocketIo(name);
    this.ledger = ledger;
  }

  /** Takes over a connected socket, also if it throws. */
  static RelayEnd of(AFUNIXSocketChannel socket, String name, DescriptorLedger ledger) {
    var stream = new SocketStream(socket, name, ledger);
    return new RelayEnd(name, stream::close, stream.number(), ledger);
  }

  /** Takes over a descriptor. If it is no socket, the first read throws. */
  static RelayEnd of(OwnedDescriptor socket, String name, DescriptorLedger ledger) {
    return new RelayEnd(name, socket::close, socket.number(), ledger);
  }

  /** Its name in messages. */
  String name() {
    return name;
  }

  /** Its number, or -1 once it is closed. */
  int number() {
    return number;
  }

  /** See {@link SocketIo#receive}. */
  int receive(MemorySegment into, int from, int length, List<OwnedDescriptor> arrived) {
    return io.receive(number, into, from, length, ledger, arrived);
  }

  /** See {@link SocketIo#send}. */
  int send(MemorySegment bytes, int from, int length, List<OwnedDescriptor> descriptors) {
    return io.send(number, bytes, from, length, descriptors);
  }

  /** Closes the socket. A second call does nothing. */
  @Override
  public void close() {
    if (number != CLOSED) {
      number = CLOSED;
      closing.run();
    }
  }
}
