package io.github.jvhost.channel;

import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.socket.AdoptedSocket;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.SocketPair;

/**
 * The two sides of one connection within this process, without a socket in the file system: for
 * rehearsals and tests.
 *
 * @param frontEnd the side that asks
 * @param backEnd the side that answers
 */
public record LoopbackPair(VhostUserChannel frontEnd, BackEndConnection backEnd)
    implements AutoCloseable {

  /**
   * Connects two ends.
   *
   * @param name in messages
   * @param dialect that the front end speaks
   * @param ledger that counts the descriptors that arrive
   * @return both sides, which the caller closes, together or one by one
   */
  public static LoopbackPair open(String name, Dialect dialect, DescriptorLedger ledger) {
    // Not by the socket library, whose pairs leave two more sockets open.
    SocketPair pair = SocketPair.open(ledger, name);
    try {
      return new LoopbackPair(
          VhostUserChannel.adopt(AdoptedSocket.of(pair.one(), name), name, dialect, ledger),
          BackEndConnection.adopt(pair.other(), name, ledger));
    } catch (RuntimeException e) {
      pair.close();
      throw e;
    }
  }

  @Override
  public void close() {
    frontEnd.close();
    backEnd.close();
  }
}
