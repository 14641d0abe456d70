package io.github.jvhost.vhost;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.file.Path;

/** Makes the connection that an address stands for. */
final class Carriers {
  private Carriers() {}

  /**
   * Makes a vhost-user connection.
   *
   * @param where the back end is; the socket of a {@link BackEndAddress.Connected} is taken over,
   *     also if this fails
   */
  static VhostUserChannel channel(
      BackEndAddress where,
      String name,
      Dialect dialect,
      DescriptorLedger ledger,
      Deadline deadline) {
    return switch (where) {
      case BackEndAddress.Socket(Path path) ->
          VhostUserChannel.connect(path, name, dialect, ledger, deadline);
      case BackEndAddress.Listening(FrontEndListener listener) ->
          VhostUserChannel.accept(listener.socket(), name, dialect, ledger, deadline);
      case BackEndAddress.Connected(OwnedDescriptor socket) ->
          VhostUserChannel.adopt(socket, name, dialect, ledger);
    };
  }
}
