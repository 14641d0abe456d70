package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import java.io.IOException;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketPair;

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
   */
  public static LoopbackPair open(String name, Dialect dialect, DescriptorLedger ledger) {
    try {
      AFUNIXSocketPair<AFUNIXSocketChannel> pair = AFUNIXSocketPair.open();
      return new LoopbackPair(
          VhostUserChannel.adopt(pair.getSocket1(), name, dialect, ledger),
          BackEndConnection.adopt(pair.getSocket2(), name, ledger));
    } catch (IOException e) {
      throw new VhostException(
          name + ": making a pair of sockets: " + e.getMessage(), Recovery.RETRY, e);
    }
  }

  @Override
  public void close() {
    frontEnd.close();
    backEnd.close();
  }
}
