package io.github.jvhost.channel.socket;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.sys.io.SocketIo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.List;
import org.newsclub.net.unix.AFUNIXDatagramChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;

/**
 * A datagram socket of the AF_UNIX family that somebody else has, as a receiver. Each datagram is
 * sent from a socket of its own, so that a receiver which was started again gets the next one.
 * Thread-safe.
 */
public final class DatagramTarget {
  private final AFUNIXSocketAddress address;
  private final String name;

  private DatagramTarget(AFUNIXSocketAddress address, String name) {
    this.address = address;
    this.name = name;
  }

  /**
   * {@return the receiver at an address}
   *
   * @param address an absolute path, or an at sign and an abstract name
   * @param name for messages
   * @throws VhostException (GIVE_UP) if it is neither, or too long
   */
  public static DatagramTarget of(String address, String name) {
    boolean isAbstract = address.startsWith("@");
    if (!isAbstract && !address.startsWith("/")) {
      throw new VhostException(
          name + ": an absolute path was expected, or an at sign and a name", Recovery.GIVE_UP);
    }
    try {
      return new DatagramTarget(
          isAbstract
              ? AFUNIXSocketAddress.inAbstractNamespace(address.substring(1))
              : AFUNIXSocketAddress.of(Path.of(address)),
          name);
    } catch (SocketException e) {
      throw new VhostException(name + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /**
   * Sends one datagram.
   *
   * @param bytes 1 or more
   * @param descriptors are sent with it; their owner keeps them
   * @param deadline for the receiver to make room
   * @throws VhostException (RETRY) if nobody receives there
   * @throws SystemCallException if the system refuses
   * @throws DeadlineException if there was no room in time
   */
  public void send(byte[] bytes, List<OwnedDescriptor> descriptors, Deadline deadline) {
    try (var socket = AFUNIXDatagramChannel.open();
        var poller = new Poller(1);
        Arena arena = Arena.ofConfined()) {
      socket.configureBlocking(false);
      socket.connect(address);
      MemorySegment buffer = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      int number = SocketStream.numberOf(socket.getFileDescriptor());
      poller.add(number, Poller.OUT);
      var io = new SocketIo(name);
      while (io.send(number, buffer, 0, bytes.length, descriptors) == SocketIo.WOULD_BLOCK) {
        if (poller.await(deadline.remainingNanos()) == 0 && deadline.expired()) {
          throw new DeadlineException(name + ": it took no message within " + deadline);
        }
      }
    } catch (IOException e) {
      throw new VhostException(name + ": " + e.getMessage(), Recovery.RETRY, e);
    }
  }
}
